"""From records to what figures and sections draw: one row a cell, panels that mix nothing, and the rules of fairness.

Rules kept here so that no figure can forget one: a panel holds one fingerprint and one crossing; a figure holds one medium; native
stands beside a metadata-journaling design only with native-relaxed there too; the halves of A/A pairs are not results.
"""
from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from . import style
from .histogram import Histogram
from .load import Runs, number_of_size
from .stats import Floor, Ratio, Summary, floor_of, ratio, summary

JOURNALING = {"xfs-today", "log-direct", "contig", "retrofit", "vmap", "ext4-dax", "xfs-dax"}
BASELINES = ("xfs-today", "native")      # the first that a panel holds is what the others are compared with
NOT_LIKE_FOR_LIKE = "not like for like"
_HEAD = ("op", "n", "block_bytes", "order", "faulters", "writers", "population", "sharing")


def where(rows: pd.DataFrame, keep: Iterable[bool]) -> pd.DataFrame:
    """Rows by a list of booleans, also when there are none (an empty list would pick columns)."""
    return rows[np.fromiter(keep, dtype=bool, count=len(rows))]


class NotInRun(Exception):
    """A figure or section has nothing to show; its text says which cells would be needed."""


class Mixed(Exception):
    """Things that must not stand in one picture were about to."""


def one_medium(runs: Runs) -> str:
    if len(runs.media) != 1:
        raise Mixed(f"a figure shows one medium, not {len(runs.media)}: {'; '.join(runs.media)}")
    return runs.media[0]


def require_one_fingerprint(rows: pd.DataFrame, free: tuple[str, ...] = ()) -> None:
    """Raises Mixed unless all rows did the same; with `free`, they may differ in those parameters alone."""
    if rows["fingerprint"].nunique() <= 1:
        return
    fixed = {tuple(sorted((k, v) for k, v in p.items() if k not in free)) for p in rows["params"]}
    if not free or len(fixed) > 1 or rows["workload"].nunique() > 1:
        raise Mixed(f"fingerprints {', '.join(sorted(set(rows['fingerprint'])))} of {', '.join(sorted(set(rows['workload'])))} "
                    "do not belong in one picture")


def crossing_note(crossing: str, engines: set[str]) -> str:
    """A second line for a title, where operations enter the kernel."""
    return "" if crossing == "none" else "\n+ a system call" + (f"; {NOT_LIKE_FOR_LIKE}" if "posix" in engines else "")


@dataclass(frozen=True)
class Panel:
    """Cells that may be compared: one workload with one set of parameters, one crossing."""

    workload: str
    fingerprint: str
    crossing: str
    params: dict[str, str]
    name: str
    cells: pd.DataFrame
    left_out: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """In lines as wide as a panel, with what must be said beside its name: that posix crosses into a kernel that the others are not in."""
        return textwrap.fill(self.name, 34) + crossing_note(self.crossing, set(self.cells["engine"]))


def param_names(runs: Runs) -> dict[str, set[str]]:
    """By workload: the parameters that differ between its cells in this run, which panel titles must name."""
    seen: dict[str, dict[str, set[str]]] = {}
    for r in runs.records:
        for key, value in r["params"].items():
            seen.setdefault(r["workload"], {}).setdefault(key, set()).add(value)
    return {w: {k for k, v in keys.items() if len(v) > 1} for w, keys in seen.items()}


def cell_name(workload: str, params: dict[str, str], varying: set[str]) -> str:
    keys = [k for k in _HEAD if k in params and (k in varying or k in ("op", "block_bytes", "order"))]
    keys += sorted(k for k in varying if k in params and k not in keys)
    shown = [f"{params[k]} B" if k == "block_bytes" and params[k].isdigit() else params[k] if k in ("op", "block_bytes", "order", "sharing")
             else f"{k}={params[k]}" for k in keys]
    return workload + (f" ({', '.join(shown)})" if shown else "")


def _journals(row: pd.Series) -> bool:
    return row["engine"] in JOURNALING or (row["engine"] == "posix" and bool(row["options"].get("path")))


def fair(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows that may stand in one picture, and what was left out and why."""
    left_out = []
    what = [(e, tuple(sorted((k, v) for k, v in o.items() if k != "label"))) for e, o in zip(cells["engine"], cells["options"])]
    labels: dict[tuple, set[str]] = {}
    for key, label in zip(what, cells["label"]):
        labels.setdefault(key, set()).add(label)
    cells = where(cells, (not label or len(labels[key]) == 1 for key, label in zip(what, cells["label"])))
    engines = set(cells["engine"])
    if "native" in engines and "native-relaxed" not in engines and any(_journals(r) for _, r in cells.iterrows()):
        cells = cells[cells["engine"] != "native"]
        left_out.append("native is left out: it makes data atomic, and native-relaxed was not measured beside the journaling designs")
    return cells, left_out


def cells_of(rows: pd.DataFrame, floor: Floor | None = None) -> pd.DataFrame:
    """One row a cell: series, threads, values per process, summaries of ns/op; the first record's fields stand for the rest."""
    out = []
    for (cell, series), group in rows.groupby(["cell", "series"], sort=False):
        first = group.iloc[0]
        values = group["ns_per_op"].to_numpy(float)
        place = {k: first[k] for k in ("source", "workload", "fingerprint", "threads", "crossing", "media")}
        margin = floor.at(**place) if floor is not None else 0.02
        out.append(place | {"cell": cell, "series": series, "engine": first["engine"], "label": first["label"],
                            "options": first["options"], "params": first["params"], "values": values,
                            "rates": group["ops_per_s"].to_numpy(float), "ops": group["ops"].to_numpy(float),
                            "latency": list(group["latency"]), "counters": list(group["counters"]), "roles": list(group["roles"]),
                            "seconds": list(group["seconds"]),
                            "ns": summary(values, seed=cell, floor=margin), "floor": margin, "verified": first["verified"]})
    return pd.DataFrame(out, columns=["source", "workload", "fingerprint", "threads", "crossing", "media", "cell", "series", "engine",
                                      "label", "options", "params", "values", "rates", "ops", "latency", "counters", "roles",
                                      "seconds", "ns", "floor", "verified"])


def panels(runs: Runs, workload: str | None = None) -> list[Panel]:
    """The plain cells of one medium, grouped into what may be compared. Bare cells first, then those that cross into the kernel;
    workloads in order of name."""
    found = runs.once("panels", lambda: _panels(runs))
    return [p for p in found if workload in (None, p.workload)]


def _panels(runs: Runs) -> list[Panel]:
    one_medium(runs)
    rows = runs.plain
    varying = param_names(runs)
    out = []
    for (workload, fingerprint, crossing), group in rows.groupby(["workload", "fingerprint", "crossing"], sort=True):
        cells, left_out = fair(cells_of(group, floor(runs)))
        require_one_fingerprint(cells)
        if len(cells) and set(cells["engine"]) != {"null"}:
            params = cells.iloc[0]["params"]
            out.append(Panel(workload, fingerprint, crossing, params, cell_name(workload, params, varying[workload]), cells, left_out))
    return sorted(out, key=lambda p: (p.crossing, p.workload, _numeric(p.params)))


def _numeric(params: dict[str, str]) -> list[tuple[str, float, str]]:
    return [(k, number_of_size(v), v) for k, v in sorted(params.items())]


def floor(runs: Runs) -> Floor:
    """The A/A floor of the plain rows."""
    return runs.once("floor", lambda: floor_of(runs.plain))


def baseline_of(cells: pd.DataFrame) -> str | None:
    """The series that the others of a panel are compared with."""
    names = [s for s in style.ordered(cells["series"])]
    return next((n for b in BASELINES for n in names if style.engine_of(n) == b), None)


def against_baseline(panel: Panel) -> Iterator[tuple[pd.Series, pd.Series, Ratio]]:
    """Every cell beside the baseline's cell at the same threads: (cell, baseline cell, ratio)."""
    name = baseline_of(panel.cells)
    for threads, cells in panel.cells.groupby("threads", sort=True):
        base = cells[cells["series"] == name]
        if len(base) != 1:
            continue
        base = base.iloc[0]
        for _, cell in cells.iterrows():
            if cell["series"] != name and cell["engine"] != "null":
                yield cell, base, ratio(base["values"], cell["values"], max(cell["floor"], base["floor"]), (base["cell"], cell["cell"]))


def rate_summary(cell: pd.Series) -> Summary:
    return summary(cell["rates"], seed=cell["cell"])


def merged(runs: Runs, cell: pd.Series) -> Histogram:
    """The latency histograms of all processes of a cell as one."""
    return runs.once(f"histogram {cell['cell']} {cell['series']}", lambda: Histogram.merge(
        [Histogram.decode(one["histogram"]) for one in cell["latency"] if one]))


def per_op(cell: pd.Series, counter: str) -> float:
    """A counter per operation, all processes together; nan where no record has it."""
    found = [(c[counter], ops) for c, ops in zip(cell["counters"], cell["ops"]) if counter in c]
    return sum(c for c, _ in found) / sum(o for _, o in found) if found else float("nan")


def geomean(values: np.ndarray) -> float:
    return float(np.exp(np.log(np.asarray(values, dtype=float)).mean()))
