"""The exact laboratory: a deterministic QEMU guest with an emulated NVDIMM, and a plugin that counts what is executed there.

    __main__   the commands: setup, run, self-test, seeded
    lab        what is made once under build/guest, and when it is made anew
    packages   the Debian packages it needs
    kernel     the cloud kernel, unpacked and never installed
    image      the initial root file system
    machine    QEMU: the command line, the snapshot, one job
    symbols    which kernel function belongs to which group
    crash      crash images of real kernel file systems
    gate       accepted counts
    seeded     known changes and their predicted deltas
    records    what the plugin and the cells said, as lines of results.jsonl

Only the standard library is used. `MissingFacility` ends a command with exit code 3, `LabError` with 1.
"""
from __future__ import annotations

import sys


class LabError(Exception):
    """Something that should have worked did not; one line."""


class MissingFacility(LabError):
    """This machine lacks what the laboratory cannot do without; one line with the remedy."""


def say(line: str) -> None:
    print(f"daxlab: {line}", file=sys.stderr, flush=True)
