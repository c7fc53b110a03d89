"""The guest's root file system: an archive in cpio's newc form of busybox, a few programs with their libraries, and modules."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

from . import LabError, packages
from .kernel import Kernel

HERE = Path(__file__).parent
PROGRAMS = ("mkfs.ext4", "mkfs.xfs", "ndctl", "e2fsck", "xfs_repair")
DIRECTORIES = ("dev", "proc", "sys", "mnt", "tmp", "run", "var", "var/run", "usr", "etc", "job", "out")
LINKS = {"lib64": "lib", "sbin": "bin", "usr/lib": "../lib", "usr/lib64": "../lib", "usr/bin": "../bin", "usr/sbin": "../bin", "etc/mtab": "/proc/mounts"}


class Archive:
    """A cpio archive, every entry by root at time 0: the same files make the same bytes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inode = 0

    def add(self, name: str, mode: int, content: bytes = b"") -> None:
        self._inode += 1
        path = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._data += header + path + b"\0" * (-(len(header) + len(path)) % 4)
        self._data += content + b"\0" * (-len(content) % 4)

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._data)


def libraries(program: Path) -> dict[str, Path]:
    """Guest path -> host path of everything that the dynamic linker would load."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    out = {}
    for named, bare in re.findall(r"=> (/\S+)|^\s+(/\S+)", told, re.M):
        path = Path(named or bare)
        folder = "lib" if path.name.startswith("ld-linux") else "lib/x86_64-linux-gnu"
        out[f"{folder}/{path.name}"] = path
    return out


def contents(kernel: Kernel, program: Path, helper: Path) -> dict[str, Path]:
    """Guest path -> host path of every file but the generated ones. `program` gives only its libraries: it comes with each job."""
    files = {"bin/busybox": packages.find("busybox"), "init": HERE / "init", "bin/pause": helper}
    for name in PROGRAMS:
        files[f"bin/{name}"] = packages.find(name)
        files |= libraries(files[f"bin/{name}"])
    files |= libraries(program)
    files |= {f"lib/modules/{module.name}": module for module in kernel.modules()}
    return files


def build(kernel: Kernel, files: dict[str, Path]) -> bytes:
    busybox = subprocess.run([files["bin/busybox"], "--list"], capture_output=True, text=True)
    if busybox.returncode != 0:
        raise LabError("busybox does not run")
    links = LINKS | {f"bin/{name}": "busybox" for name in busybox.stdout.split() if f"bin/{name}" not in files}
    order = "".join(f"{module.name}\n" for module in kernel.modules())
    texts = {"modules.order": order.encode(), "etc/passwd": b"root:x:0:0:root:/:/bin/sh\n"}
    return pack({path: source.read_bytes() for path, source in files.items()} | texts, links)


def pack(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    folders = set(DIRECTORIES)
    for name in [*files, *links]:
        folders |= {str(parent) for parent in Path(name).parents if str(parent) != "."}
    folders -= set(links)
    archive = Archive()
    for folder in sorted(folders):
        archive.add(folder, 0o40755)
    for name in sorted(links):
        archive.add(name, 0o120777, links[name].encode())
    for name in sorted(files):
        archive.add(name, 0o100755, files[name])
    return archive.finish()
