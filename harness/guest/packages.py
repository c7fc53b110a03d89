"""The Debian packages that the laboratory needs beyond those of the build; installed on first use."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from . import MissingFacility, say

# binutils and gcc come with the build's g++.
PACKAGES = ("qemu-system-x86", "busybox-static", "ndctl", "xfsprogs", "e2fsprogs", "lz4", "xz-utils", "kmod")
# What the counted program runs with beside its own code.
LIBRARIES = ("libc6", "libstdc++6", "libgcc-s1", "libpmem2", "libfmt9")
ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing(packages: tuple[str, ...] = PACKAGES) -> list[str]:
    if not shutil.which("dpkg-query"):
        raise MissingFacility("the exact laboratory is made of Debian packages, and this is no Debian system: " + " ".join(packages))
    told = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *packages], capture_output=True, text=True)
    there = {line.split()[0] for line in told.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in there]


def versions(names: tuple[str, ...]) -> str:
    """Of the packages' sources: a build of the same source (+b2) is the same program."""
    told = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *names], capture_output=True, text=True)
    return ", ".join(sorted(re.sub(r"\+b\d+$", "", line) for line in told.stdout.splitlines()))


def _as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo"]
    return None


def apt_get(log: Path, *words: str) -> bool:
    root = _as_root()
    if root is None:
        return False
    with log.open("a") as out:
        return subprocess.run([*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o",
                               "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3", *words], stdout=out, stderr=out).returncode == 0


_update_lock = threading.Lock()  # apt has one for its lists, and does not wait for it
_updated: list[bool] = []


def update(log: Path) -> bool:
    """Fetches the lists, once however many ask."""
    with _update_lock:
        if not _updated:
            _updated.append(apt_get(log, "update"))
        return _updated[0]


def known(names: list[str]) -> bool:
    """Whether apt's lists have every one of these."""
    told = subprocess.run(["apt-cache", "policy", *names], capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout
    return len(re.findall(r"Candidate: [^(]", told)) == len(names)


def ensure(log: Path) -> None:
    wanted = missing()
    if not wanted:
        return
    command = "apt-get install --no-install-recommends " + " ".join(wanted)
    if _as_root() is None:
        raise MissingFacility(f"packages are missing, and neither root nor sudo is at hand; let somebody run: {command}")
    say(f"installing {len(wanted)} packages: {' '.join(wanted)}")
    if known(wanted) and apt_get(log, "install", "--no-install-recommends", *wanted):
        return
    if update(log) and apt_get(log, "install", "--no-install-recommends", *wanted):
        return
    raise MissingFacility(f"{command} failed; its log is {log}")


def find(program: str) -> Path:
    found = shutil.which(program, path=ROOT_PATH)
    if found is None:
        raise MissingFacility(f"{program} is not there although its package is")
    return Path(found)
