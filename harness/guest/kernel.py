"""The guest's kernel: the newest cloud kernel of this Debian release or of its backports, its package fetched and unpacked, never installed.

The uncompressed image boots by its PVH note: unpacking a bzImage in an emulated processor would take longer than the rest of the boot.
"""
from __future__ import annotations

import lzma
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import LabError, MissingFacility, packages

META_PACKAGE = "linux-image-cloud-amd64"
# What a DAX file system and a devdax device need, each before its users.
MODULES = ("libnvdimm", "nfit", "nd_btt", "nd_pmem", "crc32c_intel", "crc32c_generic", "libcrc32c", "crc16", "mbcache", "jbd2", "ext4", "xfs",
           "device_dax", "dax_pmem")


@dataclass(frozen=True)
class Kernel:
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "vmlinux"

    def traced_image(self) -> Path:
        """The image with a compare of the same length in the place of clwb, whose address QEMU shows nobody (plugin/classify.h)."""
        path = self.folder / "vmlinux.traced"
        if not path.exists():
            partial = path.with_suffix(".new")
            partial.write_bytes(show_flushes(self.image.read_bytes()))
            partial.rename(path)
        return path

    @property
    def release(self) -> str:
        return (self.folder / "release").read_text().strip()

    @property
    def package(self) -> str:
        return (self.folder / "package").read_text().strip()

    def _modules_folder(self) -> Path:
        unpacked = self.folder / "unpacked"
        return next(path for path in (unpacked / "lib/modules" / self.release, unpacked / "usr/lib/modules" / self.release) if path.is_dir())

    def modules(self) -> list[Path]:
        """The modules to load, dependencies first; what is built in is left out."""
        return in_order(self.release, self._modules_folder(), ".ko", Path.read_bytes)

    def unpack_modules(self) -> None:
        """Unpacks the modules that are loaded and removes the others, a thousand of them."""

        def unpack(packed: Path) -> bytes:
            module = lzma.decompress(packed.read_bytes())
            packed.with_suffix("").write_bytes(module)
            return module

        packed = list(self._modules_folder().rglob("*.ko.xz"))
        if packed:
            in_order(self.release, self._modules_folder(), ".ko.xz", unpack)
        for path in packed:
            path.unlink()


def in_order(release: str, root: Path, suffix: str, read: Callable[[Path], bytes]) -> list[Path]:
    """MODULES and what they depend on among the files below `root`, each read once, dependencies first."""
    found = {path.name.removesuffix(suffix).replace("-", "_"): path for path in root.rglob(f"*{suffix}")}
    built_in = {Path(line).stem.replace("-", "_") for line in (root / "modules.builtin").read_text().split()}
    order: list[str] = []

    def add(name: str) -> None:
        if name in order or (name in built_in and name not in found):
            return
        if name not in found:
            raise LabError(f"kernel {release} has no module {name}")
        for dependency in dependencies(read(found[name])):
            add(dependency)
        order.append(name)

    for module in MODULES:
        add(module)
    return [found[name] for name in order]


def dependencies(module: bytes) -> list[str]:
    """What the .modinfo section of a module says it depends on."""
    said = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in said[1].decode().split(",") if name] if said else []


def unpack_image(bzimage: bytes) -> bytes:
    """The ELF image in a bzImage, by the payload's place in the boot header (Documentation/x86/boot.rst)."""
    if len(bzimage) < 0x250 or bzimage[0x202:0x206] == b"\0\0\0\0" or bzimage[0x1fe:0x200] != b"\x55\xaa":
        raise LabError("the kernel package holds no bzImage")
    begin = (bzimage[0x1f1] + 1) * 512 + struct.unpack_from("<I", bzimage, 0x248)[0]
    payload = bzimage[begin:begin + struct.unpack_from("<I", bzimage, 0x24c)[0]]
    if payload.startswith(b"\xfd7zXZ\0"):
        image = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x1f\x8b"):
        image = zlib.decompressobj(31).decompress(payload)
    elif payload.startswith(b"\x02\x21\x4c\x18"):  # lz4, legacy frames; the last word is the size and no frame
        image = _through(["lz4", "-dc", "-"], payload[:-4])
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        image = _through(["zstd", "-dc"], payload)
    else:
        raise LabError(f"the kernel is compressed in an unknown way ({payload[:4].hex()})")
    if not image.startswith(b"\x7fELF"):
        raise LabError("the kernel's payload is no ELF image")
    return image


CLWB, SHOWN_FLUSH = b"\x66\x0f\xae\x30", b"\x3e\x80\x38\x00"  # clwb (%rax); ds cmpb $0, (%rax)


def section(image: bytes, wanted: str) -> slice:
    """Where a section lies in an ELF image of 64 bits."""
    offset, = struct.unpack_from("<Q", image, 0x28)
    size, count, names = struct.unpack_from("<HHH", image, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", image, offset + size * number) for number in range(count)]
    for name, _, _, _, at, length in headers:
        begin = headers[names][4] + name
        if image[begin:image.index(b"\0", begin)] == wanted.encode():
            return slice(at, at + length)
    raise LabError(f"the kernel's image has no section {wanted}")


def show_flushes(image: bytes) -> bytes:
    """arch/x86/include/asm/special_insns.h, clwb(): the instruction is chosen at boot, from replacements in a section of their own."""
    where = section(image, ".altinstr_replacement")
    replacements = image[where]
    if CLWB not in replacements:
        raise LabError("the kernel's image holds no clwb to be traced")
    return image[:where.start] + replacements.replace(CLWB, SHOWN_FLUSH) + image[where.stop:]


def _through(command: list[str], data: bytes) -> bytes:
    if not shutil.which(command[0]):
        raise MissingFacility(f"{command[0]} is missing: apt-get install {command[0]}")
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


@dataclass(frozen=True)
class Source:
    """Where a kernel's package comes from."""

    name: str  # as people give it to --kernel
    options: tuple[str, ...] = ()  # of apt

    def newest_package(self) -> str:
        told = subprocess.run(["apt-cache", *self.options, "depends", META_PACKAGE], capture_output=True, text=True).stdout
        found = re.search(r"Depends: (linux-image-[0-9]\S+cloud-amd64)", told)
        return found[1] + "-unsigned" if found else ""

    def update(self, log: Path) -> bool:
        if not self.options:
            return packages.update(log)
        with log.open("a") as out:
            return subprocess.run(["apt-get", "-q", *self.options, "update"], stdout=out, stderr=out).returncode == 0


def source(name: str, state: Path) -> Source:
    """`stable` asks apt as it is set up here; `backports` asks with lists of its own, so that nothing on this machine changes."""
    if name == "stable":
        return Source(name)
    own = state / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (own / folder).mkdir(parents=True, exist_ok=True)
    sources = own / "sources.list"
    sources.write_text("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main\n")
    words = {"Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/nonexistent", "Dir::State::lists": own / "lists", "Dir::Cache": own / "cache"}
    return Source(name, tuple(part for key, value in words.items() for part in ("-o", f"{key}={value}")) + ("-o", "APT::Sandbox::User=root"))


def fetch(folder: Path, log: Path, origin: Source) -> None:
    """Fetches and unpacks the package as far as that takes no other one, so that those can be installed meanwhile."""
    package = origin.newest_package()
    if not package and origin.update(log):
        package = origin.newest_package()
    if not package:
        raise MissingFacility(f"no package source offers {META_PACKAGE} ({origin.name}): apt-get update, or add a Debian mirror")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _fetch(package, folder, log, origin)
    deb = next(folder.glob("*.deb"))
    with log.open("a") as out:
        if subprocess.run(["dpkg-deb", "-x", deb, folder / "unpacked"], stdout=out, stderr=out).returncode != 0:
            raise LabError(f"cannot unpack {deb.name}; the log is {log}")
    version = deb.name.split("_")[1]
    deb.unlink()
    kernel = Kernel(folder)
    (folder / "release").write_text(next((folder / "unpacked/boot").glob("vmlinuz-*")).name.removeprefix("vmlinuz-") + "\n")
    kernel.unpack_modules()
    (folder / "fetched").write_text(f"{package} {version}\n")


def finish(folder: Path) -> Kernel:
    """Unpacks the image of a kernel that was fetched; its file `package` says that all is there."""
    kernel = Kernel(folder)
    kernel.image.write_bytes(unpack_image((folder / f"unpacked/boot/vmlinuz-{kernel.release}").read_bytes()))
    (folder / "fetched").rename(folder / "package")
    return kernel


def _fetch(package: str, folder: Path, log: Path, origin: Source) -> None:
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *origin.options, "download", package]
    for again in (True, False):
        with log.open("a") as out:
            if subprocess.run(command, cwd=folder, stdout=out, stderr=out).returncode == 0:
                return
        if again:
            origin.update(log)
    raise MissingFacility(f"apt-get download {package} failed; its log is {log}")
