"""QEMU: its command line, the snapshot that is made once, and jobs that start from it.

The virtual clock counts instructions (-icount) and nothing asynchronous is attached: no disk, no network, no host clock. A job therefore
executes the same instructions whenever and wherever it runs. Two emulated NVDIMMs: the medium, and a mailbox of another size through which a
tar archive goes in and another comes out.
"""
from __future__ import annotations

import ctypes
import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import LabError

QEMU = "qemu-system-x86_64"
# With erms a copy by `rep movsb` would count an instruction for each byte; hardware does not work that way.
CPU = "max,-erms,-mpx"
MEMORY = "512M"
MEDIUM_BYTES = 1 << 30
MAILBOX_BYTES = 64 << 20
MEDIUM_ADDRESS = 1 << 32  # the first NVDIMM of a pc machine lies there; the guest's answer is compared with it
# Address randomisation, mitigations and self-tests off, so that addresses and paths are those of every boot; no security module and no
# pressure accounting, which would be counted with every operation; LOCK prefixes stay although there is one processor.
KERNEL_LINE = ("console=ttyS0 quiet panic=-1 nokaslr norandmaps mitigations=off random.trust_cpu=on cryptomgr.notests audit=0 apparmor=0 selinux=0 "
               "psi=0 noreplace-smp tsc=reliable")
RTC = "base=2026-01-01T00:00:00,clock=vm"
MEDIUM_PLACE = "@medium@"  # in a plugin's arguments: where the running machine's first NVDIMM lies on the host
FOLDER_PREFIX = "daxlab-guest."  # of a machine's files, in memory while it runs
# Far above what a quiet machine takes (10 s, 5 s): on a crowded one a guest gets a twentieth of a processor.
BOOT_TIMEOUT_S = 900
JOB_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Guest:
    """What a machine is started from. `state` is the snapshot; it fits the other files of the same folder only."""

    kernel: Path
    image: Path
    state: Path

    def command(self, medium: Path, mailbox: Path, console: Path, monitor: Path) -> list[str]:
        nvdimm = "memory-backend-file,id={0},share=on,mem-path={1},size={2}"
        return [QEMU, "-accel", "tcg,thread=single", "-cpu", CPU, "-smp", "1", "-m", f"{MEMORY},slots=4,maxmem=16G",
                "-machine", "pc,nvdimm=on,nvdimm-persistence=mem-ctrl", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-icount", "shift=0,sleep=off", "-rtc", RTC, "-seed", "1", "-action", "panic=pause", "-device", "pvpanic",
                "-serial", f"file:{console}", "-qmp", f"unix:{monitor},server=on,wait=off",
                "-kernel", str(self.kernel), "-initrd", str(self.image), "-append", KERNEL_LINE,
                "-object", nvdimm.format("m1", medium, MEDIUM_BYTES), "-device", "nvdimm,id=nv1,memdev=m1",
                "-object", nvdimm.format("m2", mailbox, MAILBOX_BYTES), "-device", "nvdimm,id=nv2,memdev=m2"]


def version() -> str:
    try:
        return subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return ""


def escaped(path: Path) -> str:
    """A path as the value of one of QEMU's options, where a comma would begin the next."""
    return str(path).replace(",", ",,")


def pack(files: dict[str, bytes]) -> bytes:
    """A tar archive of which every byte depends on the files alone."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o755
            archive.addfile(entry, io.BytesIO(files[name]))
    return out.getvalue()


def unpack(path: Path) -> dict[str, bytes]:
    out = {}
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.isfile() and (content := archive.extractfile(entry)):
                    out[os.path.normpath(entry.name)] = content.read()
    except (tarfile.TarError, OSError) as error:
        raise LabError(f"the guest left no answer ({error})") from None
    return out


class Monitor:
    """QEMU's machine protocol over a socket; `stop` events and answers apart."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        deadline = time.monotonic() + 60
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"{QEMU} did not start") from None
                time.sleep(0.01)
        self._file = self._socket.makefile("rw")
        self._file.readline()
        self.ask("qmp_capabilities")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        try:
            self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._file.flush()
            while line := self._file.readline():
                answer = json.loads(line)
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise LabError(f"{QEMU}: {command}: {answer['error'].get('desc')}")
        except OSError:
            pass
        raise LabError(f"{QEMU} ended with {self._process.wait()}")

    def await_status(self, *wanted: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self.ask("query-status")["status"] not in wanted:
            if time.monotonic() > deadline:
                raise LabError("the guest did not get ready in time")
            time.sleep(0.02)


def memory_folder() -> Path:
    return Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())


def sweep(folder: Path) -> None:
    """Removes what a launcher left that was killed: its folders carry its process id."""
    for left in folder.glob(FOLDER_PREFIX + "*"):
        pid = left.name.removeprefix(FOLDER_PREFIX).split(".")[0]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(left, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Interrupted(LabError):
    """Somebody wants no more machines."""


class Running:
    """The machines that are running now, so that an interrupt can end them: their jobs are waited for in other threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise Interrupted("interrupted")
            # A session of its own: a terminal's interrupt reaches the launcher alone, which ends its machines in order.
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       preexec_fn=_die_with_parent, start_new_session=True)
            self._processes.add(process)
            return process

    def ended(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes.discard(process)

    def stop(self) -> None:
        """Ends every machine; none starts afterwards."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()


running = Running()


class Run:
    """One QEMU process with its files in memory; both are gone when the block ends."""

    def __init__(self, guest: Guest, job: bytes = b"", extra: tuple[str, ...] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}.", dir=memory_folder()))
        self.medium, self.mailbox, self.console = self.folder / "medium", self.folder / "mailbox", self.folder / "console"
        for path, size, content in ((self.medium, MEDIUM_BYTES, b""), (self.mailbox, MAILBOX_BYTES, job)):
            if len(content) > size:
                raise LabError("the job does not fit into the mailbox")
            with path.open("wb") as file:
                file.write(content)
                file.truncate(size)
        monitor = self.folder / "monitor"
        command = guest.command(self.medium, self.mailbox, self.console, monitor)
        try:
            self.process = running.start([*command, *(word.replace(MEDIUM_PLACE, escaped(self.medium)) for word in extra)])
        except LabError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        try:
            self.monitor = Monitor(monitor, self.process)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.monitor.close()
        self._end()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        running.ended(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        """The last lines of the console, for a message about what went wrong."""
        return " | ".join(self.console.read_text(errors="replace").splitlines()[-3:]) if self.console.exists() else ""


_IGNORE_SHARED = [{"capability": "x-ignore-shared", "state": True}]  # the NVDIMMs stay in their files


def save(guest: Guest) -> dict[str, bytes]:
    """Boots to the ready point, writes the snapshot, and returns what the guest put into the mailbox before."""
    with Run(guest) as run:
        try:
            run.monitor.await_status("guest-panicked", timeout_s=BOOT_TIMEOUT_S)
        except LabError as error:
            raise LabError(f"{error}; the guest said: {run.said()}") from None
        answer = unpack(run.mailbox)
        partial = guest.state.with_suffix(".new")
        run.monitor.ask("migrate-set-capabilities", capabilities=_IGNORE_SHARED)
        run.monitor.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        run.monitor.ask("migrate", uri=f"exec:cat > {shlex.quote(str(partial))}")
        while (status := run.monitor.ask("query-migrate")["status"]) not in ("completed", "failed"):
            time.sleep(0.02)
        if status == "failed":
            raise LabError(f"{QEMU} could not write the snapshot; is there space for {partial}?")
        run.monitor.ask("quit")
        run.process.wait(20)
        partial.rename(guest.state)
        return answer


def run_job(guest: Guest, files: dict[str, bytes], plugin: str = "") -> dict[str, bytes]:
    """Restores the snapshot, runs job.sh of `files`, and returns what it left in /out. `plugin` is QEMU's -plugin argument."""
    extra = ("-incoming", "defer") + (("-plugin", plugin) if plugin else ())
    with Run(guest, pack(files), extra) as run:
        run.monitor.ask("migrate-set-capabilities", capabilities=_IGNORE_SHARED)
        run.monitor.ask("migrate-incoming", uri=f"exec:cat {shlex.quote(str(guest.state))}")
        run.monitor.await_status("paused", "guest-panicked", "postmigrate", timeout_s=300)
        run.monitor.ask("cont")
        try:
            code = run.process.wait(JOB_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise LabError(f"the job was still running after {JOB_TIMEOUT_S} s; the guest said: {run.said()}") from None
        if code == -signal.SIGKILL:
            raise LabError(f"{QEMU} was killed, most likely for want of memory")
        if code != 0:
            raise LabError(f"{QEMU} ended with {code}; the guest said: {run.said()}")
        return unpack(run.mailbox)
