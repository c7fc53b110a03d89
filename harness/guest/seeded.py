"""Does the laboratory see what was changed, and nothing else? Known changes of the native engine, each with its deltas written down before the
run (seeded.toml): each is built, counted in a guest and compared with the unchanged build, counter by counter, with no threshold.

A change is a text that stands once in a file and what replaces it. Its prediction says by how much which counters change per operation in
which cell; every other counter of every cell must stay as it is.
"""
from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import LabError, lab, say

FILE = Path(__file__).parent / "seeded.toml"
COPIED = ("CMakeLists.txt", "CMakePresets.json", "engines", "workloads", "probes", "harness", "results/schema.json")
# What is compared of a record: the counts of the plugin, not what follows from them.
COUNTERS = ("instructions_user", "instructions_kernel", "clwb", "fences", "locked", "streamed_bytes", "nvdimm_bytes_written", "nvdimm_lines_written",
            "nvdimm_blocks_written")


@dataclass(frozen=True)
class Change:
    name: str
    file: str
    find: str
    replace: str
    predicted: dict[str, dict[str, Any]]  # cell -> counter -> by how much, per operation: a number, or the least and the most

    def apply(self, text: str) -> str:
        if text.count(self.find) != 1:
            raise LabError(f"seeded change '{self.name}': its text stands {text.count(self.find)} times in {self.file}")
        return text.replace(self.find, self.replace)


def changes() -> list[Change]:
    return [Change(**change) for change in tomllib.loads(FILE.read_text())["change"]]


def cell_name(record: dict[str, Any]) -> str:
    """The cell as seeded.toml names it."""
    return record["workload"] + "".join(f" {key}={record['params'][key]}" for key in ("op", "phase") if key in record["params"])


def deltas(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = {}
    for one, two in zip(before, after, strict=True):
        for line in (one, two):
            if line["status"] != "ok":
                raise LabError(f"{cell_name(line)}: {line['error']}")
        changed = {name: (two["counters"].get(name, 0) - one["counters"].get(name, 0)) / one["ops"] for name in COUNTERS}
        out[cell_name(one)] = {name: delta for name, delta in changed.items() if delta}
    return out


def as_predicted(predicted: float | list[float], counted: float) -> bool:
    if isinstance(predicted, list):
        return predicted[0] <= counted <= predicted[1]
    return abs(predicted - counted) < 1e-9


def wrong(change: Change, found: dict[str, dict[str, float]]) -> list[str]:
    """Where the run differs from what was written down."""
    out = [f"{change.name}: {cell}: predicted, but not counted" for cell in sorted(change.predicted.keys() - found.keys())]
    for cell, counted in sorted(found.items()):
        predicted = change.predicted.get(cell, {})
        out += [f"{change.name}: {cell}: {name}: {predicted.get(name, 0)} predicted, {counted.get(name, 0):+g} counted per operation"
                for name in sorted(predicted.keys() | counted.keys()) if not as_predicted(predicted.get(name, 0), counted.get(name, 0))]
    return out


def builds(root: Path, folder: Path) -> Iterator[tuple[Change | None, Path]]:
    """The unchanged program and one of each change, built as `daxlab` builds it, in a copy of the sources."""
    tree = folder / "tree"
    for name in COPIED:
        source, target = root / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copy2(source, target)

    def build(name: str) -> Path:
        log = folder / "build.log"
        with log.open("a") as out:
            if not (tree / "build/release/build.ninja").exists():
                subprocess.run(["cmake", "--preset", "release", "-S", str(tree)], cwd=tree, stdout=out, stderr=out, check=False)
            if subprocess.run(["ninja", "-C", str(tree / "build/release"), "daxlab"], stdout=out, stderr=out).returncode != 0:
                raise LabError(f"seeded change '{name}' does not build; the log is {log}")
        return Path(shutil.copy2(tree / "build/release/bin/daxlab", folder / "daxlab"))

    yield None, build("none")
    for change in changes():
        path = tree / change.file
        text = path.read_text()
        path.write_text(change.apply(text))
        try:
            yield change, build(change.name)
        finally:
            path.write_text(text)


def run(made: lab.Lab, plan: dict[str, Any], root: Path, state: Path, out: Path | None) -> list[str]:
    """Everything that is not as predicted. `out`: a file for what was predicted and counted."""
    folder = state / "seeded"
    folder.mkdir(parents=True, exist_ok=True)
    unchanged: list[dict[str, Any]] = []
    differences: list[str] = []
    told = []
    for change, program in builds(root, folder):
        lines = lab.run_jobs(made, plan, program, folder / "runs", "seeded")
        if change is None:
            unchanged = lines
            continue
        found = deltas(unchanged, lines)
        off = wrong(change, found)
        differences += off
        told.append({"name": change.name, "predicted": change.predicted, "counted": found})
        say(f"exact: {change.name}: {'as predicted' if not off else f'{len(off)} counters are not as predicted'}")
    if out is not None:
        out.write_text(json.dumps(told, indent=1) + "\n")
    return differences
