"""The exact laboratory's own Python (harness/guest), as far as it runs without a virtual machine."""
import gzip
import io
import json
import lzma
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from guest import gate, LabError, MissingFacility, crash, image, kernel, lab, machine, packages, records, seeded, symbols  # noqa: E402

FILES = {"init": b"#!/bin/sh\n", "bin/busybox": b"\x7fELF" + b"x" * 5, "lib/modules/xfs.ko": b""}
LINKS = {"bin/sh": "busybox", "sbin": "bin"}


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """An independent reader of cpio's newc form: name -> (mode, content)."""
    out, at = {}, 0
    while True:
        assert archive[at:at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110:at + 110 + name_size - 1].decode()
        begin = at + (110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return out
        out[name] = (mode, archive[begin:begin + size])
        at = begin + (size + 3) // 4 * 4


def test_the_archive_holds_every_file_link_and_the_folders_above_them():
    found = entries(image.pack(FILES, LINKS))
    assert {name: content for name, (mode, content) in found.items() if mode >> 12 == 0o10} == FILES
    assert {name: content.decode() for name, (mode, content) in found.items() if mode >> 12 == 0o12} == LINKS
    assert {"bin", "lib", "lib/modules", "job", "out"} <= {name for name, (mode, _) in found.items() if mode >> 12 == 0o4}
    assert list(found).index("lib") < list(found).index("lib/modules/xfs.ko")


def test_the_same_files_make_the_same_bytes_in_any_order():
    assert image.pack(FILES, LINKS) == image.pack(dict(reversed(FILES.items())), dict(reversed(LINKS.items())))


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_cpio_reads_the_archive():
    listed = subprocess.run(["cpio", "-t", "--quiet"], input=image.pack(FILES, LINKS), capture_output=True)
    assert listed.returncode == 0 and b"bin/busybox\n" in listed.stdout


def bzimage(payload: bytes) -> bytes:
    head = bytearray(512 * 5)
    head[0x1f1], head[0x1fe:0x200], head[0x202:0x206] = 4, b"\x55\xaa", b"\x0f\x02\0\0"
    struct.pack_into("<II", head, 0x248, 16, len(payload))
    return bytes(head) + b"\0" * 16 + payload + b"tail"


@pytest.mark.parametrize("pack", [lambda d: lzma.compress(d, format=lzma.FORMAT_XZ), gzip.compress], ids=["xz", "gzip"])
def test_the_kernel_image_is_taken_out_of_a_bzimage(pack):
    elf = b"\x7fELF" + b"kernel" * 100
    assert kernel.unpack_image(bzimage(pack(elf))) == elf


def elf(sections):
    """An image of 64 bits with these sections and their names."""
    names = b"\0" + b"\0".join(name.encode() for name in sections) + b"\0.shstrtab\0"
    contents = [b"", *sections.values(), names]
    at, headers = 64, b""
    for content, name in zip(contents, ["", *sections, ".shstrtab"]):
        place = names.index(b"\0" + name.encode() + b"\0") + 1 if name else 0
        headers += struct.pack("<IIQQQQIIQQ", place, 1, 0, 0, at, len(content), 0, 0, 0, 0)
        at += len(content)
    head = bytearray(64)
    struct.pack_into("<Q", head, 0x28, at)
    struct.pack_into("<HHH", head, 0x3a, 64, len(contents), len(contents) - 1)
    return bytes(head) + b"".join(contents) + headers


def test_a_traced_kernel_shows_its_flushes_where_they_are_chosen_and_nowhere_else():
    clwb = kernel.CLWB
    image = elf({".text": b"\x90" + clwb, ".altinstr_replacement": b"\x0f" + clwb + b"\x0f"})
    shown = kernel.show_flushes(image)
    assert len(shown) == len(image) and shown[kernel.section(image, ".text")] == b"\x90" + clwb
    assert shown[kernel.section(image, ".altinstr_replacement")] == b"\x0f" + kernel.SHOWN_FLUSH + b"\x0f"
    with pytest.raises(LabError, match="no clwb"):
        kernel.show_flushes(elf({".altinstr_replacement": b"\x90"}))
    with pytest.raises(LabError, match="no section"):
        kernel.show_flushes(elf({".text": clwb}))


def test_what_is_no_kernel_is_named():
    for data, said in ((b"", "no bzImage"), (bzimage(b"\x01\x02\x03\x04"), "unknown way"), (bzimage(gzip.compress(b"text")), "no ELF")):
        with pytest.raises(LabError, match=said):
            kernel.unpack_image(data)


def test_a_module_says_what_it_depends_on():
    assert kernel.dependencies(b"x\0license=GPL\0depends=libnvdimm,nd-btt\0") == ["libnvdimm", "nd_btt"]
    assert kernel.dependencies(b"\0depends=\0") == [] == kernel.dependencies(b"")


def test_only_modules_that_are_loaded_are_unpacked_and_no_other_is_kept(tmp_path, monkeypatch):
    root = tmp_path / "unpacked/lib/modules/6.1/kernel"
    root.mkdir(parents=True)
    (tmp_path / "release").write_text("6.1\n")
    (root.parent / "modules.builtin").write_text("kernel/ext4.ko\n")
    for name, needs in (("xfs", "libcrc32c"), ("libcrc32c", ""), ("sound", ""), ("nd_pmem", "nd-btt"), ("nd-btt", "")):
        (root / f"{name}.ko.xz").write_bytes(lzma.compress(b"\0depends=" + needs.encode() + b"\0" + name.encode()))
    monkeypatch.setattr(kernel, "MODULES", ("nd_pmem", "ext4", "xfs"))
    found = kernel.Kernel(tmp_path)
    found.unpack_modules()
    assert [path.name for path in found.modules()] == ["nd-btt.ko", "nd_pmem.ko", "libcrc32c.ko", "xfs.ko"]
    assert found.modules()[3].read_bytes().endswith(b"xfs") and sorted(path.name for path in root.iterdir()) == sorted(
        path.name for path in found.modules())


def test_a_program_that_grew_a_little_is_as_long_in_the_guest():
    assert len(lab.padded(b"x" * 100)) == len(lab.padded(b"x" * 5000)) == lab.PROGRAM_QUANTUM and lab.padded(b"x" * 100).startswith(b"x" * 100)
    assert len(lab.padded(b"x" * (lab.PROGRAM_QUANTUM + 1))) == 2 * lab.PROGRAM_QUANTUM


def test_a_rebuilt_package_has_the_version_of_its_source(tmp_path, monkeypatch):
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\necho xfsprogs 6.1.0-1+b1\necho busybox-static 1:1.35.0-4+deb12u1+b1\n")
    (tmp_path / "dpkg-query").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert packages.versions(packages.LIBRARIES) == "busybox-static 1:1.35.0-4+deb12u1, xfsprogs 6.1.0-1"


def test_each_cell_of_a_kernel_in_the_gate_has_a_machine_of_its_own():
    cells = [{"record": {"workload": name}} for name in ("append", "stat")]
    jobs = [{"name": name, "medium": "m", "cells": cells} for name in ("xfs-dax", "native")]
    alone = lab.one_by_one({"seed": 1, "jobs": jobs})
    assert [(job["name"], job["medium"], job["cells"]) for job in alone["jobs"]] == [
        ("xfs-dax, append", "m", cells[:1]), ("xfs-dax, stat", "m", cells[1:]), ("native", "m", cells)] and alone["seed"] == 1


def test_lists_are_fetched_once_whoever_asks(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(packages, "_updated", [])
    monkeypatch.setattr(packages, "apt_get", lambda log, *words: asked.append(words) or True)
    assert packages.update(tmp_path / "log") and packages.update(tmp_path / "log") and asked == [("update",)]


def test_a_job_archive_depends_on_its_files_alone():
    files = {"job.sh": b"true\n", "0.json": b"{}"}
    packed = machine.pack(files)
    assert packed == machine.pack(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert {e.name: (e.mtime, e.uid) for e in archive} == {"job.sh": (0, 0), "0.json": (0, 0)}


def test_an_answer_is_unpacked_and_a_missing_one_is_said(tmp_path):
    (tmp_path / "mailbox").write_bytes(machine.pack({"./log": b"said"}) + b"\0" * 4096)
    assert machine.unpack(tmp_path / "mailbox") == {"log": b"said"}
    (tmp_path / "empty").write_bytes(b"x" * 4096)
    with pytest.raises(LabError, match="no answer"):
        machine.unpack(tmp_path / "empty")


def test_the_machine_is_deterministic_by_its_command_line():
    line = machine.Guest(Path("k"), Path("i"), Path("s")).command(Path("m"), Path("b"), Path("c"), Path("q"))
    text = " ".join(line)
    for part in ("thread=single", "-smp 1", "-icount shift=0,sleep=off", "clock=vm", "-seed 1", "nokaslr", "selinux=0", "psi=0", "noreplace-smp"):
        assert part in text
    assert not any(word in text for word in ("virtio", "netdev", "-drive"))


def test_a_comma_in_a_path_does_not_begin_another_option():
    assert machine.escaped(Path("/a,b/c=d")) == "/a,,b/c=d"


def test_what_a_killed_launcher_left_is_swept_and_nothing_else(tmp_path):
    names = {"daxlab-guest.999999999.ab": False, f"daxlab-guest.{os.getpid()}.cd": True, "daxlab-guest.x": True, "other": True}
    for name in names:
        (tmp_path / name).mkdir()
    machine.sweep(tmp_path)
    assert {name: (tmp_path / name).exists() for name in names} == names


def job(medium="fsdax"):
    stub = {"engine": "xfs-dax", "workload": "append"}
    cells = [{"task": {"ops": 5}, "record": stub}, {"task": {"ops": 5}, "record": stub}]
    return {"name": "xfs-dax", "medium": medium, "type": "xfs", "mkfs": "-q", "mount_options": "dax=always", "mount_point": "/mnt/p", "cells": cells}


def test_every_cell_gets_a_file_system_of_its_own():
    script = lab.job_script(job())
    assert script.count("mkfs.xfs -q") == script.count("umount /mnt/p") == 2
    assert script.index("/job/0.json") < script.index("/job/1.json")
    assert "mkfs" not in lab.job_script(job("devdax")) and "-m devdax" in lab.job_script(job("devdax"))


def test_a_probed_job_lets_the_kernel_count_calls_too():
    script = lab.job_script(job() | {"probed": ["xlog_write"]})
    assert "p:daxlab/xlog_write xlog_write" in script and script.index("kprobe_events") < script.index("mkfs") < script.index("kprobe_profile")
    assert "kprobe" not in lab.job_script(job())
    assert lab.probed_calls("  xlog_write    17   0\n  vm_map_ram   0   0\n") == {"xlog_write": 17, "vm_map_ram": 0}
    assert set(symbols.PROBED) <= set(symbols.FUNCTIONS)


KALLSYMS = """ffffffff81000000 T _stext
ffffffff81000100 T memcpy_flushcache
ffffffff81000200 T schedule
ffffffff81000300 T vfs_write
ffffffffc0001000 t xlog_write\t[xfs]
ffffffffc0001400 t xfs_file_write_iter\t[xfs]
ffffffffc0001800 t pmem_submit_bio\t[nd_pmem]
ffffffffc0001900 d some_data\t[xfs]
0000000000000000 A fixed_percpu_data
"""


def test_functions_are_grouped_by_name_and_module():
    found = {name: symbols.group_of(name, module) for _, name, module in symbols.read(KALLSYMS)}
    assert found == {"_stext": "other", "memcpy_flushcache": "copy", "schedule": "scheduler", "vfs_write": "vfs", "xlog_write": "log",
                     "xfs_file_write_iter": "file_system", "pmem_submit_bio": "block_pmem"}


def test_the_plugins_table_has_groups_rising_ranges_and_bounded_functions():
    lines = symbols.table(KALLSYMS).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("group")] == list(symbols.GROUPS)
    ranges = [int(line.split()[1], 16) for line in lines if line.startswith("range")]
    assert ranges == sorted(ranges) and all(int(line.split()[2]) < len(symbols.GROUPS) for line in lines if line.startswith("range"))
    assert "function ffffffffc0001000 ffffffffc0001400 xlog_write" in lines


def test_groups_and_functions_fit_the_plugins_tables():
    header = (Path(symbols.__file__).parent / "plugin/symbols.h").read_text()
    limit = {name: int(header.split(f"{name} = ")[1].split(",")[0].split(" }")[0]) for name in ("MAX_GROUPS", "MAX_FUNCTIONS")}
    assert len(symbols.GROUPS) <= limit["MAX_GROUPS"] and len(set(symbols.FUNCTIONS)) == len(symbols.FUNCTIONS) <= limit["MAX_FUNCTIONS"]


def tally(visits, **counters):
    base = dict.fromkeys(records.BY_PLUGIN, 0)
    return {"visits": visits, "counters": base | counters, "groups": {"log": 10 * visits, "copy": 5 * visits},
            "functions": {"jbd2_journal_commit_transaction": {"calls": visits, "instructions": 100 * visits, "bytes_written": 512 * visits}}}


STUB = {"schema": 1, "cell": "c", "kind": "exact", "engine": "xfs-dax", "workload": "fsync_every", "params": {}}
OK = {"status": "ok", "ops": 4, "pauses": 0, "verified": True, "counters": {"logical_bytes": 16, "fences": 99, "lock_wait_ns": 5}}
COUNTED = {"step": tally(8, clwb=2, fences=1, nvdimm_lines_written=3), "fsync": tally(4, fences=8), "deferred": tally(1, fences=6, clwb=7)}


def test_a_record_sums_the_parts_of_a_step_and_keeps_what_came_later_apart():
    line = records.record(STUB, "run", "now", OK, COUNTED)
    counters = line["counters"]
    assert (counters["fences"], counters["clwb"], counters["lines_flushed"]) == (9, 2, 2)
    assert counters["instructions_kernel"] == 12 * 15 and counters["kernel_log"] == 120
    assert (counters["fsync_count"], counters["fsync_fences"]) == (4, 8)
    assert (counters["deferred_count"], counters["deferred_fences"]) == (1, 6)
    assert counters["media_bytes"] == 3 * 64 and counters["logical_bytes"] == 16
    assert counters["log_bytes"] == 512 * 12 and counters["commits"] == 12
    assert (counters["deferred_log_bytes"], counters["deferred_commits"]) == (512, 1), "what a batch leaves to the last sync is counted, apart"
    assert "lock_wait_ns" not in counters, "nothing is timed in an exact run"
    assert line["status"] == "ok" and line["run"] == "run" and line["ops"] == 4


def test_the_log_of_xfs_is_what_its_driver_stored_less_zeroed_blocks():
    counted = tally(4)
    counted["functions"] = {name: {"calls": 4, "instructions": 0, "bytes_written": size} for name, size in
                            (("xlog_write_iclog", 0), ("pmem_submit_bio", 32768), ("blkdev_issue_zeroout", 16384))}
    counters = records.record(STUB, "run", "now", OK, {"step": counted})["counters"]
    assert (counters["log_bytes"], counters["commits"]) == (16384, 4)


def test_a_cell_without_numbers_says_why():
    missing = records.record(STUB, "run", "now", {"status": "skipped", "error": "no DAX"}, COUNTED)
    assert missing["status"] == "skipped" and missing["error"] == "no DAX" and "counters" not in missing
    short = records.record(STUB, "run", "now", OK, {"step": tally(3)})
    assert short["status"] == "failed" and "3 of 4" in short["error"]


def test_two_runs_differ_where_any_counter_does():
    one, two = (records.record(STUB, run, "now", OK, COUNTED) for run in "ab")
    assert records.differences([one], [two]) == []
    two["counters"]["fences"] += 1
    assert records.differences([one], [two]) == ["xfs-dax, fsync_every: fences: 9, then 10"]
    assert "broke" in records.differences([one], [records.failed(STUB, "b", "now", "broke")])[0]


def test_records_fit_the_schema():
    from daxlab import schema
    stub = STUB | {"options": {}, "fingerprint": "f", "threads": 1, "crossing": "syscall", "repetition": 0, "seed": 1,
                   "media": {"kind": "nvdimm", "class": "guest", "profile": "dram", "run_bytes": 0, "run": "linear", "size_bytes": 1 << 30, "seed": 1,
                             "mmu": "kernel"}}
    for result in (OK, {"status": "failed", "error": "e"}):
        assert schema.violation(json.loads(json.dumps(records.record(stub, "run", "2026-01-01T00:00:00Z", result, COUNTED)))) is None


def test_packages_that_cannot_be_installed_are_a_missing_facility(monkeypatch, tmp_path):
    monkeypatch.setattr(packages, "missing", lambda: ["qemu-system-x86"])
    monkeypatch.setattr(packages, "_as_root", lambda: None)
    with pytest.raises(MissingFacility, match="qemu-system-x86"):
        packages.ensure(tmp_path / "log")


def test_too_little_space_is_a_missing_facility(monkeypatch, tmp_path):
    monkeypatch.setattr(lab.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1 << 20))
    with pytest.raises(MissingFacility, match="1 MiB free"):
        lab.check_space(tmp_path)


def test_guests_of_different_kernels_share_no_snapshot():
    assert len({lab.Variant(k, t).suffix for k in ("stable", "backports") for t in (False, True)}) == 4
    assert lab.Variant().suffix == ""


def test_backports_are_asked_with_lists_of_their_own(tmp_path):
    own = kernel.source("backports", tmp_path)
    assert kernel.source("stable", tmp_path).options == ()
    assert any("sources.list" in word for word in own.options) and "backports" in (tmp_path / "apt/sources.list").read_text()
    assert any(word.startswith("Dir::State::lists=" + str(tmp_path)) for word in own.options)


def test_an_interrupt_ends_the_machines_that_run_and_starts_no_other():
    running = machine.Running()
    process = running.start(["sleep", "1000"])
    running.stop()
    assert process.wait(10) == -signal.SIGKILL
    with pytest.raises(machine.Interrupted):
        running.start(["sleep", "1000"])


def test_the_interrupt_reaches_jobs_in_other_threads(monkeypatch):
    running = machine.Running()
    monkeypatch.setattr(machine, "running", running)
    codes = []

    def job(number):
        if number == 1:
            while not running._processes:
                pass
            raise KeyboardInterrupt
        codes.append(running.start(["sleep", "1000"]).wait())

    monkeypatch.setattr(lab.os, "cpu_count", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        lab.in_parallel(job, 2)
    assert codes == [-signal.SIGKILL]


def test_the_snapshots_key_follows_content(tmp_path):
    files = {"init": tmp_path / "init"}
    files["init"].write_text("a")
    first = lab.key_of(files, "kernel 1")
    assert lab.key_of(files, "kernel 1") == first != lab.key_of(files, "kernel 2")
    files["init"].write_text("b")
    assert lab.key_of(files, "kernel 1") != first


ON = {"kernel_package": "k", "qemu": "q", "cpu": "c", "image": "i", "preset": "release", "compiler": "g", "libraries": "l"}


def _lines(**counters):
    counted = {"instructions_user": 40, "instructions_kernel": 60, "clwb": 4, "fences": 2, "nvdimm_bytes_written": 400} | counters
    return [{"engine": engine, "workload": "append", "params": {"n": "1"}, "seed": 1, "status": "ok", "ops": 2, "counters": counted} for engine in ("native", "xfs-dax")]


def test_the_gate_has_no_threshold_and_its_file_round_trips():
    accepted = json.loads(gate.text_of(gate.accepted_from(_lines(), ON)))
    assert gate.check(_lines(), ON, accepted) == ([], [])
    for counter, what in (("instructions_user", "instructions"), ("instructions_kernel", "kernel instructions"), ("clwb", "flushes"), ("fences", "fences"), ("nvdimm_bytes_written", "bytes")):
        differ, _ = gate.check(_lines(**{counter: 41 if counter == "instructions_user" else 1}), ON, accepted)
        assert len(differ) == 2 and all(what in line for line in differ)


def test_no_accepted_counts_are_one_clear_line(tmp_path):
    with pytest.raises(LabError, match="no accepted counts.*--accept"):
        gate.read(tmp_path / "accepted.json")
    for text in ("{", "[]", '{"on": {}}'):
        (tmp_path / "accepted.json").write_text(text)
        with pytest.raises(LabError, match="damaged"):
            gate.read(tmp_path / "accepted.json")
    assert gate.read()["cells"]


def test_the_gate_misses_no_cell_on_either_side():
    accepted = gate.accepted_from(_lines(), ON)
    assert "not counted" in gate.check(_lines()[:1], ON, accepted)[0][0]
    accepted["cells"].pop("native, append n=1, seed 1")
    assert gate.check(_lines(), ON, accepted)[0] == ["native, append n=1, seed 1: no accepted counts"]


def test_the_gate_says_what_another_guest_or_build_keeps_it_from_comparing():
    accepted = gate.accepted_from(_lines(), ON)
    for other in ({"preset": "dev"}, {"compiler": "newer"}, {"libraries": "newer"}):
        differ, left_out = gate.check(_lines(instructions_user=41, fences=3), ON | other, accepted)
        assert len(left_out) == 1 and len(differ) == 2 and all("fences" in line for line in differ)
    for other in ({"qemu": "other"}, {"image": "other"}):
        differ, left_out = gate.check(_lines(fences=3, instructions_kernel=61), ON | other, accepted)
        assert len(left_out) == 1 and len(differ) == 1 and differ[0].startswith("native") and "fences" in differ[0]
        assert len(gate.check(_lines(instructions_user=41), ON | other, accepted)[0]) == 1


def test_every_seeded_change_fits_the_tree_and_differs_from_it():
    root = Path(seeded.__file__).resolve().parents[2]
    found = seeded.changes()
    assert len(found) == 5 and len({change.name for change in found}) == 5
    for change in found:
        text = (root / change.file).read_text()
        assert change.apply(text) != text and change.predicted
        with pytest.raises(LabError, match="stands 0 times"):
            change.apply("nothing")


def test_a_seeded_change_must_move_the_predicted_counters_and_no_other():
    change = seeded.Change("c", "f", "a", "b", {"append": {"fences": 0.5, "instructions_user": [1, 9]}})
    before, after = _lines()[:1], _lines(fences=3, instructions_user=50)[:1]
    assert seeded.wrong(change, seeded.deltas(before, after)) == []
    for counters in ({"fences": 2}, {"fences": 4}, {"fences": 3, "clwb": 5}, {"fences": 3, "instructions_user": 60}):
        assert seeded.wrong(change, seeded.deltas(before, _lines(**({"instructions_user": 50} | counters))[:1])), counters
    assert "not counted" in seeded.wrong(change, {})[0]


def test_alarms_of_a_recovering_kernel_are_told_from_its_usual_words():
    for line in ("XFS (pmem0): Metadata corruption detected at xfs_agf_read_verify", "EXT4-fs error (device pmem0): ext4_lookup", "BUG: unable to handle",
                 "WARNING: CPU: 0 PID: 1 at fs/xfs/xfs_log.c"):
        assert crash.ALARMS.search(line)
    for line in ("XFS (pmem0): Starting recovery (logdev: internal)", "EXT4-fs (pmem0): recovery complete", "report a bug", "EXT4-fs (pmem0): mounted filesystem"):
        assert not crash.ALARMS.search(line)
