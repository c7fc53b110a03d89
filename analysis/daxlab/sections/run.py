"""What was run: machine, medium, seed, command, build, and how it ended."""
from __future__ import annotations

from collections import Counter
from typing import Any

from ..load import fact
from ..report import Report

TITLE = "What was run"
ORDER = 10
SHOWN = {"command_line": "command line", "seed": "seed", "matrix": "matrix", "host": "host", "cpu.model": "processor", "cpu.count": "processors",
         "cpu.cache_l3_bytes": "L3 cache, bytes", "cpu.governor": "governor", "cpu.mitigations": "mitigations", "memory.total": "memory",
         "memory.thp": "transparent huge pages", "kernel.release": "kernel", "kernel.hypervisor": "in a virtual machine",
         "kernel.distribution": "distribution", "pmem.nd_devices": "NVDIMM devices", "pmem.flush_instruction": "flush instruction",
         "build.preset": "build preset", "build.compiler": "compiler", "git.commit": "git commit", "git.dirty": "uncommitted changes"}


def plain_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {plain_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return " ".join(plain_text(v) for v in value) or "none"
    return {True: "yes", False: "no", None: "unknown"}.get(value, str(value)) if isinstance(value, (bool, type(None))) else str(value)


def body(report: Report) -> str:
    runs = report.runs
    facts = []
    for folder, environment in zip(runs.folders, runs.environments):
        rows = [(name, plain_text(fact(environment, path))) for path, name in SHOWN.items() if fact(environment, path) is not None]
        rows = [(n, v if n != "command line" or v.startswith("daxlab") else f"daxlab {v}") for n, v in rows]
        mmus = sorted({r["media"]["mmu"] for r in runs.records if r["status"] == "ok"} - {"none"})
        facts.append((folder.resolve().name, rows + [("page tables of mapped files", ", ".join(mmus) or "none were needed")]))
    tally = Counter((r["kind"], r["status"]) for r in runs.records)
    times = sorted(r["time"] for r in runs.records)
    return report.template("run.html", facts=facts, media=runs.media, notes=runs.notes, first=times[0], last=times[-1],
                           cells=len({r["cell"] for r in runs.records}), tally=sorted(tally.items()),
                           processes=max((r["repetition"] for r in runs.records if r["kind"] == "plain"), default=-1) + 1,
                           classes=sorted({r["media"]["class"] for r in runs.records}))
