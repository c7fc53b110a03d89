"""Builds a module against the headers of the guest's kernel: packages fetched and unpacked at first use, never installed.

Debian's headers name each other by absolute paths below /usr/src in two one-line files; they are rewritten for where they were unpacked.
"""
from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from .. import LabError, MissingFacility, packages

HERE = Path(__file__).parent


def _packages_of(release: str) -> list[str]:
    """linux-headers-RELEASE and the two that it depends on."""
    headers = f"linux-headers-{release}"
    told = subprocess.run(["apt-cache", "depends", headers], capture_output=True, text=True).stdout
    needed = re.findall(r"Depends: (linux-(?:headers-\S+-common|kbuild-\S+))", told)
    if len(needed) < 2:
        raise MissingFacility(f"no package source offers {headers}: apt-get update, or add a Debian mirror")
    return [headers, *needed]


def headers(folder: Path, release: str, version: str, log: Path) -> Path:
    """The folder that a module is built from."""
    build = folder / f"usr/src/linux-headers-{release}"
    if (folder / "complete").exists():
        return build
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = [f"{package}={version}" for package in _packages_of(release)]
    with log.open("a") as out:
        fetched = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *wanted], cwd=folder, stdout=out, stderr=out)
        if fetched.returncode != 0:
            raise MissingFacility(f"apt-get download {' '.join(wanted)} failed; its log is {log}")
        for deb in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, folder], check=True, stdout=out, stderr=out)
            deb.unlink()
    makefile = build / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{folder}/usr/src/"))
    (folder / "complete").touch()
    return build


def module(name: str, sources: list[Path], build: Path, work: Path) -> Path:
    """NAME.ko of `sources` and the Kbuild beside them, built in `work` unless it is newer than they are."""
    made = work / f"{name}.ko"
    sources = [*sources, HERE / "Kbuild"]
    if made.exists() and made.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return made
    work.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, work / source.name)
    if not shutil.which("gcc-12") or not shutil.which("make"):
        raise MissingFacility("gcc-12, which built the guest's kernel, or make is missing: apt-get install gcc-12 make")
    built = subprocess.run(["make", "-C", build, f"M={work}", "modules"], capture_output=True, text=True)
    if built.returncode != 0:
        raise LabError(f"{name}.ko cannot be built: {built.stderr.strip().splitlines()[-1]}")
    return made
