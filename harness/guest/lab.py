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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import LabError, MissingFacility, gate, image, kernel, machine, packages, records, say, symbols

SPACE_BYTES = 1 << 30  # kernel package, unpacked modules, image, snapshot
PROGRAM_QUANTUM = 8 << 20
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


def key_of(files: dict[str, Path], kernel_name: str) -> str:
    """Changes when anything changes that the snapshot holds."""
    digest = hashlib.sha256(f"{kernel_name}\n{machine.version()}\n{machine.KERNEL_LINE}\n{machine.CPU}\n{machine.MEMORY}\n".encode())
    for name in sorted(files):
        digest.update(f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    for source in ("image.py", "machine.py"):
        digest.update((HERE / source).read_bytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Variant:
    """Which guest: what its kernel is, and whether that shows where it flushes (for a trace)."""

    kernel: str = "stable"
    traced: bool = False

    @property
    def suffix(self) -> str:
        """Of the files that differ between guests."""
        return ("" if self.kernel == "stable" else f".{self.kernel}") + (".traced" if self.traced else "")


def ensure(state: Path, root: Path, program: Path, variant: Variant = Variant()) -> Lab:
    """Makes what is missing or out of date: packages, kernel, plugin, image, snapshot."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _ensure(state, root, program, variant)


def _parts(state: Path, root: Path, variant: Variant) -> kernel.Kernel:
    """Packages, kernel and what is compiled here: what a machine is made of, made side by side."""
    log = state / "setup.log"
    folder = state / ("kernel" if variant.kernel == "stable" else f"kernel.{variant.kernel}")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        others = [pool.submit(compile_c, HERE / "plugin/count.c", state / "count.so", root, "-fPIC", "-shared", "-fvisibility=hidden"),
                  pool.submit(compile_c, HERE / "pause.c", state / "pause", root, "-static")]
        if not (folder / "package").exists() and not (folder / "fetched").exists():
            check_space(state)
            others.append(pool.submit(_fetch_kernel, folder, log, kernel.source(variant.kernel, state)))
        packages.ensure(log)
        for other in others:
            other.result()
    if (folder / "package").exists():
        return kernel.Kernel(folder)
    with step("kernel image"):
        return kernel.finish(folder)


def _fetch_kernel(folder: Path, log: Path, origin: kernel.Source) -> None:
    with step("kernel package"):
        kernel.fetch(folder, log, origin)


def _ensure(state: Path, root: Path, program: Path, variant: Variant) -> Lab:
    machine.sweep(machine.memory_folder())
    found = _parts(state, root, variant)
    files = image.contents(found, program, state / "pause")
    suffix = variant.suffix
    key = key_of(files, found.package + suffix)
    guest = machine.Guest(found.traced_image() if variant.traced else found.image, state / f"image.cpio{suffix}", state / f"snapshot{suffix}")
    lab = Lab(guest, state / "count.so", state / f"symbols{suffix}", found, key)
    key_file, kallsyms = state / f"key{suffix}", state / f"kallsyms{suffix}"
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


TRACING = "/sys/kernel/tracing"


def job_script(job: dict[str, Any]) -> str:
    """The guest's side of a job: each cell on a medium formatted anew, in a process of its own. With `probed`, kprobes of the kernel count the
    calls of those functions meanwhile."""
    lines = [". /job.env", "export LD_BIND_NOW=1"]
    for function in job.get("probed", ()):
        lines.append(f"echo p:daxlab/{function} {function} >> {TRACING}/kprobe_events")
    if "probed" in job:
        lines.append(f"echo 1 > {TRACING}/events/daxlab/enable")
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
    return "\n".join([*lines, *([f"cat {TRACING}/kprobe_profile > /out/probed"] if "probed" in job else []), "true", ""])


def plugin_argument(lab: Lab, counted: Path) -> str:
    plugin, out, names = (machine.escaped(path) for path in (lab.plugin, counted, lab.symbols))
    return f"{plugin},out={out},symbols={names},lo={machine.MEDIUM_ADDRESS:#x},hi={machine.MEDIUM_ADDRESS + machine.MEDIUM_BYTES:#x}"


def run_job(lab: Lab, job: dict[str, Any], program: bytes, work: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Each cell's own result and its classes as counted, in order."""
    answer, counted = run_counted(lab, job, program, work)
    cells = counted["cells"]
    if len(cells) != len(job["cells"]):
        raise LabError(f"job {job['name']}: the plugin saw {len(cells)} of {len(job['cells'])} cells")
    missing = {"status": "failed", "error": "the cell's process ended without a result"}
    return [json.loads(answer[f"{n}.json"]) if f"{n}.json" in answer else missing for n in range(len(cells))], cells


def run_counted(lab: Lab, job: dict[str, Any], program: bytes, work: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What a job left in /out, and what the plugin wrote."""
    files = {"job.sh": job_script(job).encode(), "daxlab": program}
    files |= {f"{number}.json": json.dumps(cell["task"]).encode() for number, cell in enumerate(job["cells"])}
    counted = work / "counted.json"
    answer = machine.run_job(lab.guest, files, plugin_argument(lab, counted))
    for name in ("log", "dmesg"):
        (work / name).write_bytes(answer.get(name, b""))
    if not counted.exists():
        raise LabError(f"job {job['name']}: the plugin wrote no counts to {counted}")
    if answer.get("code", b"").strip() != b"0":
        said = answer.get("log", b"").decode(errors="replace").strip().splitlines()[-1:]
        raise LabError(f"job {job['name']} failed in the guest: {' '.join(said) or 'it said nothing'}")
    return answer, json.loads(counted.read_text())


def probed_calls(profile: str) -> dict[str, int]:
    """tracefs/kprobe_profile: a line a probe, its name, hits and misses."""
    return {words[0]: int(words[1]) for line in profile.splitlines() if len(words := line.split()) >= 3}


def check_calls(lab: Lab, job: dict[str, Any], program: bytes, work: Path) -> list[str]:
    """Runs a job once more with kprobes on every watched function that only a file system calls; where the kernel counts other calls than the
    plugin, from the beginning of the job to its end."""
    work.mkdir(parents=True, exist_ok=True)
    job = job | {"probed": symbols.PROBED}
    answer, counted = run_counted(lab, job, program, work)
    by_kernel = probed_calls(answer.get("probed", b"").decode())
    if not any(by_kernel.values()):
        return [f"{job['name']}: the kernel's own probes counted no call: {answer.get('log', b'').decode(errors='replace').strip()[-200:]}"]
    return [f"{job['name']}: {function}: {counted['calls'].get(function)} calls by the plugin, {hits} by the kernel's probe"
            for function, hits in sorted(by_kernel.items()) if counted["calls"].get(function) != hits]


def stripped(program: Path, work: Path) -> bytes:
    """The program without its symbols: a quarter of the size on the way into the guest."""
    target = work / "daxlab"
    subprocess.run(["strip", "-o", str(target), str(program)], check=True)
    return padded(target.read_bytes())


def padded(program: bytes) -> bytes:
    """In a file of the same length as the program had before a change of a few functions: its pages lie in the guest's memory, and where the
    kernel's own objects lie there moves its hash chains. So a change of one engine leaves the counts of the kernel's file systems alone."""
    return program + bytes(-len(program) % PROGRAM_QUANTUM)


def in_parallel(one: Callable[[int], None], count: int) -> None:
    """one(0) to one(count - 1), a machine each, as many at a time as there are processors. An interrupt ends the machines that run."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(count, os.cpu_count() or 1))) as pool:
        try:
            for done in concurrent.futures.as_completed([pool.submit(one, number) for number in range(count)]):
                done.result()
        except BaseException:
            machine.running.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
        except (MissingFacility, machine.Interrupted):
            raise
        except LabError as error:
            lines[number] = [records.failed(stub, run, began, str(error)) for stub in stubs]
        bad = sum(line["status"] == "failed" for line in lines[number])
        say(f"exact: {job['name']}: {len(stubs)} cells{f', {bad} failed' if bad else ''} ({time.monotonic() - start:.1f} s)")

    in_parallel(one, len(jobs))
    return [line for job in lines for line in job]


def run_plan(lab: Lab, plan: dict[str, Any], program: Path, out: Path, crashed: list[dict[str, Any]] | None = None) -> int:
    """Runs a plan into a run's folder; the number of cells that failed. `crashed`: what crash.py found."""
    lines = run_jobs(lab, plan, program, out / "guest", out.name)
    with (out / "results.jsonl").open("a") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())
    told = environment(lab, plan) | ({"kernel_crash": crashed} if crashed else {})
    (out / "environment.json").write_text(json.dumps(told, indent=2) + "\n")
    failures = [line for line in lines if line["status"] == "failed"]
    for line in failures:
        say(f"exact: {line['engine']}, {line['workload']}: {line['error']}")
    return len(failures)


def one_by_one(plan: dict[str, Any]) -> dict[str, Any]:
    """Each cell of a kernel's file system in a machine of its own. What a kernel's file system counts depends on its random numbers (the seeds of hash tables), and these on
    when interrupts came before: after another cell, whose program has changed, they are others."""
    jobs = []
    for job in plan["jobs"]:
        alone = job["name"].startswith(gate.KERNEL_ENGINES)
        jobs += [job | {"cells": [cell], "name": f"{job['name']}, {cell['record']['workload']}"} for cell in job["cells"]] if alone else [job]
    return plan | {"jobs": jobs}


def self_test(lab: Lab, plan: dict[str, Any], program: Path, accept: bool) -> list[str]:
    """Runs a plan twice, and its kernels once more with probes of their own; what differs between those, and from the accepted counts. `accept`
    makes these the accepted ones."""
    alone = one_by_one(plan)
    with tempfile.TemporaryDirectory(prefix="daxlab-guest.") as folder:
        runs = [run_jobs(lab, alone, program, Path(folder) / name, name) for name in ("first", "second")]
        binary = stripped(program, Path(folder))
        kernels = [job for job in plan["jobs"] if job["name"].startswith(gate.KERNEL_ENGINES)]
        probed: list[str] = []
        in_parallel(lambda number: probed.extend(check_calls(lab, kernels[number], binary, Path(folder) / f"probed-{number}")), len(kernels))
    if differences := records.differences(*runs) + sorted(probed):
        return differences
    build = plan["environment"]["build"]
    on = {"kernel_package": lab.kernel.package, "qemu": machine.version(), "cpu": machine.CPU,
          "image": hashlib.sha256(lab.guest.image.read_bytes()).hexdigest()[:16],
          "preset": build["preset"], "compiler": build["compiler"], "libraries": packages.versions(packages.LIBRARIES)}
    if accept:
        gate.FILE.write_text(gate.text_of(gate.accepted_from(runs[0], on)))
        return []
    differences, left_out = gate.check(runs[0], on, gate.read())
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
