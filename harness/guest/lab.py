"""What is made once and kept under build/guest, and the jobs of a plan."""
from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import LabError, MissingFacility, gate, image, kernel, machine, packages, records, say, symbols

SPACE_BYTES = 1 << 30  # kernel package, unpacked modules, image, snapshot
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Lab:
    guest: machine.Guest
    plugin: Path
    symbols: Path
    kernel: kernel.Kernel
    key: str  # of everything that a snapshot depends on


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"guest: {what} ({time.monotonic() - began:.1f} s)")


def check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE_BYTES:
        raise MissingFacility(f"{folder}: {free >> 20} MiB free, the guest needs {SPACE_BYTES >> 20}")


def compile_c(source: Path, target: Path, root: Path, *flags: str) -> None:
    """Compiles unless the target is newer than every C file of the laboratory."""
    newest = max(path.stat().st_mtime for path in HERE.rglob("*.[ch]"))
    if target.exists() and target.stat().st_mtime > newest:
        return
    partial = target.with_suffix(".new")
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", f"-I{root}", *flags, str(source), "-o", str(partial)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        raise LabError(f"{shlex.join(command)}: {made.stderr.strip().splitlines()[-1]}")
    partial.rename(target)


def key_of(files: dict[str, Path], kernel_package: str) -> str:
    """Changes when anything changes that the snapshot holds."""
    digest = hashlib.sha256(f"{kernel_package}\n{machine.version()}\n{machine.KERNEL_LINE}\n{machine.CPU}\n{machine.MEMORY}\n".encode())
    for name in sorted(files):
        digest.update(f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    for source in ("image.py", "machine.py"):
        digest.update((HERE / source).read_bytes())
    return digest.hexdigest()[:32]


def ensure(state: Path, root: Path, program: Path) -> Lab:
    """Makes what is missing or out of date: packages, kernel, plugin, image, snapshot."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _ensure(state, root, program)


def _ensure(state: Path, root: Path, program: Path) -> Lab:
    machine.sweep(machine.memory_folder())
    log = state / "setup.log"
    packages.ensure(log)
    found = kernel.Kernel(state / "kernel")
    if not (state / "kernel/package").exists():
        check_space(state)
        with step("kernel package"):
            found = kernel.ensure(state / "kernel", log)
    compile_c(HERE / "plugin/count.c", state / "count.so", root, "-fPIC", "-shared", "-fvisibility=hidden")
    compile_c(HERE / "pause.c", state / "pause", root, "-static")
    files = image.contents(found, program, state / "pause")
    key = key_of(files, found.package)
    guest = machine.Guest(found.image, state / "image.cpio", state / "snapshot")
    lab = Lab(guest, state / "count.so", state / "symbols", found, key)
    key_file, kallsyms = state / "key", state / "kallsyms"
    if not key_file.exists() or key_file.read_text() != key or not guest.state.exists():
        check_space(state)
        key_file.unlink(missing_ok=True)
        with step("image"):
            guest.image.write_bytes(image.build(found, files))
        with step("boot and snapshot"):
            answer = machine.save(guest)
        medium = int(answer["medium"].decode().strip() or "0", 0)
        if medium != machine.MEDIUM_ADDRESS:
            raise LabError(f"the guest's NVDIMM lies at {medium:#x} and not at {machine.MEDIUM_ADDRESS:#x}")
        kallsyms.write_bytes(answer["kallsyms"])
        key_file.write_text(key)
    lab.symbols.write_text(symbols.table(kallsyms.read_text()))
    return lab


def job_script(job: dict[str, Any]) -> str:
    """The guest's side of a job: each cell on a medium formatted anew, in a process of its own."""
    lines = [". /job.env", "export LD_BIND_NOW=1"]
    if job["medium"] == "devdax":
        lines += ["ndctl create-namespace -f -e namespace$MEDIUM.0 -m devdax -M mem || exit 1", "ln -s /dev/dax$MEDIUM.0 /dev/daxlab"]
    else:
        lines += ["ndctl create-namespace -f -e namespace$MEDIUM.0 -m fsdax -M mem || exit 1"]
    for number in range(len(job["cells"])):
        run = f"/job/daxlab guest-cells --task /job/{number}.json --out /out/{number}.json"
        if job["medium"] == "devdax":
            lines.append(run)
            continue
        point = job["mount_point"]
        lines += [f"mkdir -p {point}", f"mkfs.{job['type']} {job['mkfs']} /dev/pmem$MEDIUM",
                  f"mount -t {job['type']} -o {job['mount_options']} /dev/pmem$MEDIUM {point}", run, f"umount {point}"]
    return "\n".join([*lines, "true", ""])


def run_job(lab: Lab, job: dict[str, Any], program: bytes, work: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Each cell's own result and its classes as counted, in order."""
    files = {"job.sh": job_script(job).encode(), "daxlab": program}
    files |= {f"{number}.json": json.dumps(cell["task"]).encode() for number, cell in enumerate(job["cells"])}
    counted = work / "counted.json"
    end = machine.MEDIUM_ADDRESS + machine.MEDIUM_BYTES
    plugin, out, names = (machine.escaped(path) for path in (lab.plugin, counted, lab.symbols))
    plugin = f"{plugin},out={out},symbols={names},lo={machine.MEDIUM_ADDRESS:#x},hi={end:#x}"
    answer = machine.run_job(lab.guest, files, plugin)
    for name in ("log", "dmesg"):
        (work / name).write_bytes(answer.get(name, b""))
    if not counted.exists():
        raise LabError(f"job {job['name']}: the plugin wrote no counts to {counted}")
    if answer.get("code", b"").strip() != b"0":
        said = answer.get("log", b"").decode(errors="replace").strip().splitlines()[-1:]
        raise LabError(f"job {job['name']} failed in the guest: {' '.join(said) or 'it said nothing'}")
    cells = json.loads(counted.read_text())["cells"]
    if len(cells) != len(job["cells"]):
        raise LabError(f"job {job['name']}: the plugin saw {len(cells)} of {len(job['cells'])} cells")
    missing = {"status": "failed", "error": "the cell's process ended without a result"}
    return [json.loads(answer[f"{n}.json"]) if f"{n}.json" in answer else missing for n in range(len(cells))], cells


def stripped(program: Path, work: Path) -> bytes:
    """The program without its symbols: a quarter of the size on the way into the guest."""
    target = work / "daxlab"
    subprocess.run(["strip", "-o", str(target), str(program)], check=True)
    return target.read_bytes()


def run_jobs(lab: Lab, plan: dict[str, Any], program: Path, folder: Path, run: str) -> list[dict[str, Any]]:
    """Runs every job, a machine each, as many at a time as there are processors; the records in the plan's order."""
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    jobs = plan["jobs"]
    lines: list[list[dict[str, Any]]] = [[] for _ in jobs]
    folder.mkdir(exist_ok=True)
    binary = stripped(program, folder)
    (folder / "daxlab").unlink()

    def one(number: int) -> None:
        job = jobs[number]
        work = folder / f"{number}-{re.sub(r'[^A-Za-z0-9.-]+', '-', job['name'])}"
        work.mkdir(exist_ok=True)
        start = time.monotonic()
        stubs = [cell["record"] for cell in job["cells"]]
        try:
            results, counted = run_job(lab, job, binary, work)
            lines[number] = [records.record(stub, run, began, *said) for stub, *said in zip(stubs, results, counted)]
        except MissingFacility:
            raise
        except LabError as error:
            lines[number] = [records.failed(stub, run, began, str(error)) for stub in stubs]
        bad = sum(line["status"] == "failed" for line in lines[number])
        say(f"exact: {job['name']}: {len(stubs)} cells{f', {bad} failed' if bad else ''} ({time.monotonic() - start:.1f} s)")

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(len(jobs), os.cpu_count() or 1))) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, number) for number in range(len(jobs))]):
            done.result()
    return [line for job in lines for line in job]


def run_plan(lab: Lab, plan: dict[str, Any], program: Path, out: Path) -> int:
    """Runs a plan into a run's folder; the number of cells that failed."""
    lines = run_jobs(lab, plan, program, out / "guest", out.name)
    with (out / "results.jsonl").open("a") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())
    (out / "environment.json").write_text(json.dumps(environment(lab, plan), indent=2) + "\n")
    failures = [line for line in lines if line["status"] == "failed"]
    for line in failures:
        say(f"exact: {line['engine']}, {line['workload']}: {line['error']}")
    return len(failures)


def self_test(lab: Lab, plan: dict[str, Any], program: Path, accept: bool) -> list[str]:
    """Runs a plan twice; what differs between the two, and from the accepted counts. `accept` makes these the accepted ones."""
    with tempfile.TemporaryDirectory(prefix="daxlab-guest.") as folder:
        runs = [run_jobs(lab, plan, program, Path(folder) / name, name) for name in ("first", "second")]
    if differences := records.differences(*runs):
        return differences
    on = {"kernel_package": lab.kernel.package, "qemu": machine.version(), "cpu": machine.CPU} | {key: plan["environment"]["build"][key] for key in gate.BUILD}
    if accept:
        gate.FILE.write_text(gate.text_of(gate.accepted_from(runs[0], on)))
        return []
    differences, left_out = gate.check(runs[0], on, json.loads(gate.FILE.read_text()))
    for line in left_out:
        say(f"exact: {line}")
    return differences


def environment(lab: Lab, plan: dict[str, Any]) -> dict[str, Any]:
    """environment.json: this machine under `host`, and the guest where a reader looks for what the numbers were measured on."""
    told = dict(plan["environment"])
    host = {name: told.get(name) for name in ("kernel", "cpu", "memory", "pmem")}
    guest = {"qemu": machine.version(), "cpu": machine.CPU, "memory": machine.MEMORY, "processors": 1, "kernel_package": lab.kernel.package,
             "kernel_line": machine.KERNEL_LINE, "rtc": machine.RTC, "icount": "shift=0,sleep=off", "snapshot": lab.key,
             "medium_bytes": machine.MEDIUM_BYTES, "file_systems": {job["name"]: f"mkfs.{job['type']} {job['mkfs']}; -o {job['mount_options']}"
                                                                    for job in plan["jobs"] if job["medium"] == "fsdax"}}
    told["kernel"] = {"release": lab.kernel.release, "command_line": machine.KERNEL_LINE}
    told["cpu"] = {"model": f"{guest['qemu']}, TCG, -cpu {machine.CPU}", "governor": "instruction count"}
    return told | {"guest": guest, "host_machine": host}
