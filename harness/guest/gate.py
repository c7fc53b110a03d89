"""The gate: a run's instructions, flushes, fences and bytes per operation against one committed file of accepted counts.

Counts are exact, so there is no threshold: a change is a difference, and accepting it is a commit of accepted.json
(`daxlab exact --self-test --accept`). The file says what it was counted on. In another guest, be it that one of the programs in its image is
another, the kernel may count something else; of another build, by another compiler or with another C library, the process may: these are then
left out, and said to be.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import LabError

FILE = Path(__file__).parent / "accepted.json"
GUEST = ("kernel_package", "qemu", "cpu", "image")
BUILD = ("preset", "compiler", "libraries")
KERNEL_ENGINES = ("ext4-dax", "xfs-dax")


def counts(record: dict[str, Any]) -> dict[str, float]:
    """What is held, per operation."""
    counters, ops = record["counters"], record["ops"]
    total = {"instructions": counters["instructions_user"], "kernel instructions": counters["instructions_kernel"], "flushes": counters["clwb"],
             "fences": counters["fences"], "bytes": counters["nvdimm_bytes_written"]}
    return {name: count / ops for name, count in total.items()}


def name_of(record: dict[str, Any]) -> str:
    params = " ".join(f"{key}={value}" for key, value in sorted(record["params"].items()))
    return f"{record['engine']}, {record['workload']} {params}, seed {record['seed']}"


def accepted_from(lines: list[dict[str, Any]], on: dict[str, str]) -> dict[str, Any]:
    return {"on": on, "cells": {name_of(line): counts(line) for line in lines if line["status"] == "ok"}}


def text_of(accepted: dict[str, Any]) -> str:
    """One cell a line, so that a commit shows which changed."""
    cells = ",\n".join(f"  {json.dumps(name)}: {json.dumps(cell)}" for name, cell in sorted(accepted["cells"].items()))
    return f'{{"on": {json.dumps(accepted["on"], sort_keys=True)},\n "cells": {{\n{cells}\n}}}}\n'


def read(file: Path = FILE) -> dict[str, Any]:
    """What was accepted. LabError where nobody accepted anything, or the file is damaged."""
    remedy = "`daxlab exact --self-test --accept` writes it, `git checkout` brings the committed one back"
    try:
        accepted = json.loads(file.read_text())
    except OSError:
        raise LabError(f"there are no accepted counts ({file}): {remedy}") from None
    except ValueError:
        accepted = {}
    if not isinstance(accepted, dict) or not {"on", "cells"} <= accepted.keys():
        raise LabError(f"{file} is damaged: {remedy}")
    return accepted


def check(lines: list[dict[str, Any]], on: dict[str, str], accepted: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What differs from the accepted counts, and what could not be compared."""
    now, then = accepted_from(lines, on), accepted
    guest, build = ([key for key in keys if then["on"].get(key) != on.get(key)] for keys in (GUEST, BUILD))
    left_out = [f"{what} not compared: {key} was {then['on'].get(key)}, is {on.get(key)}"
                for keys, what in ((guest, "kernel file systems and instructions in the kernel are"), (build, "instructions are")) for key in keys]
    unheld = ({"kernel instructions"} if guest else set()) | ({"instructions", "kernel instructions"} if build else set())
    differ = [f"{name}: no accepted counts" for name in sorted(now["cells"].keys() - then["cells"].keys())]
    differ += [f"{name}: accepted, but not counted" for name in sorted(then["cells"].keys() - now["cells"].keys())]
    for name in sorted(now["cells"].keys() & then["cells"].keys()):
        if guest and name.startswith(KERNEL_ENGINES):
            continue
        before, after = then["cells"][name], now["cells"][name]
        differ += [f"{name}: {what}: {before[what]:.10g} accepted, {after.get(what, 0):.10g} counted per operation" for what in before
                   if before[what] != after.get(what) and what not in unheld]
    return differ, left_out
