"""`daxlab compare A B`: every cell of B against the same cell of A. Cells are the same when their ids are."""
from __future__ import annotations

from dataclasses import dataclass

from . import InputError, stats, style, tables
from .load import Runs, fact

DONE, WORSE, AMBIGUOUS = 0, 1, 4


@dataclass(frozen=True)
class Row:
    cell: str
    name: str
    verdict: str
    ratio: stats.Ratio | None
    note: str = ""


def plain_rows(a: Runs, b: Runs) -> list[Row]:
    floors = [tables.floor(a), tables.floor(b)]
    varying = tables.param_names(a)
    cells_a, cells_b = (tables.cells_of(r.plain) for r in (a, b))
    left, right = ({c["cell"]: c for _, c in cells.iterrows()} for cells in (cells_a, cells_b))
    failed = {r["cell"]: r["error"] for r in b.not_ok if r["kind"] == "plain" and r["status"] == "failed"}
    rows = []
    for cell, mine in left.items():
        name = (f"{mine['series']}, {tables.cell_name(mine['workload'], mine['params'], varying[mine['workload']])}, {mine['threads']} thr."
                + (", syscall" if mine["crossing"] == "syscall" else ""))
        if cell in failed:
            rows.append(Row(cell, name, "worse", None, f"no number in B: {failed[cell]}"))
        elif cell in right:
            place = {k: mine[k] for k in ("workload", "fingerprint", "threads", "crossing", "media")}
            margin = max(f.at(**place) for f in floors)
            rows.append(Row(cell, name, "", stats.ratio(mine["values"], right[cell]["values"], margin, cell)))
    rows = [Row(r.cell, r.name, r.verdict or r.ratio.verdict, r.ratio, r.note) for r in rows]  # type: ignore[union-attr]
    return sorted(rows, key=lambda r: (style.rank(r.name.split(",")[0]), r.name))


def exact_rows(a: Runs, b: Runs) -> list[Row]:
    """Every counter that differs, with no threshold: exact runs are the same to the bit or they are not."""
    left, right = ({(r["cell"], r["repetition"]): r for r in runs.records if r["kind"] == "exact" and r["status"] == "ok"} for runs in (a, b))
    rows = []
    for key in left.keys() & right.keys():
        one, two = left[key], right[key]
        for counter in sorted(one["counters"].keys() | two["counters"].keys()):
            before, after = one["counters"].get(counter, 0) / one["ops"], two["counters"].get(counter, 0) / two["ops"]
            if before != after:
                rows.append(Row(key[0], f"{one['engine']}, {one['workload']}, {counter}", "worse" if after > before else "better", None,
                                f"{before:g} -> {after:g} per operation"))
    return sorted(rows, key=lambda r: r.name)


def banners(a: Runs, b: Runs) -> list[str]:
    """What a reader must know before any ratio: another class of media, another machine, another build."""
    out = []
    classes = [sorted({r["media"]["class"] for r in runs.records}) for runs in (a, b)]
    if classes[0] != classes[1]:
        out.append(f"MEDIA CLASSES DIFFER: A is {', '.join(classes[0])}, B is {', '.join(classes[1])}; ratios compare media, not engines")
    for path, name in (("cpu.model", "processor"), ("kernel.release", "kernel"), ("build.preset", "build preset"), ("cpu.governor", "governor")):
        values = [sorted({str(fact(e, path)) for e in runs.environments}) for runs in (a, b)]
        if values[0] != values[1]:
            out.append(f"{name} differs: A {', '.join(values[0])}; B {', '.join(values[1])}")
    return out


def exit_code(rows: list[Row]) -> int:
    words = {r.verdict for r in rows}
    return WORSE if "worse" in words else AMBIGUOUS if "ambiguous" in words else DONE


def text(a: Runs, b: Runs) -> tuple[str, int]:
    """The table that the command prints, and its exit code."""
    exact = [runs.of("exact") for runs in (a, b)]
    both_exact = bool(len(exact[0]) and len(exact[1]))
    rows = plain_rows(a, b)
    differences = exact_rows(a, b) if both_exact else []
    common = set(exact[0]["cell"]) & set(exact[1]["cell"]) if both_exact else set()
    if not rows and not common:
        raise InputError("the two runs have no cell in common: compare runs of the same matrix")
    lines = [f"! {banner}" for banner in banners(a, b)]
    width = max((len(r.name) for r in rows + differences), default=0)
    for row in rows:
        lines.append(f"{row.verdict:<9}  {row.name:<{width}}  {row.ratio.text if row.ratio else row.note}")
    if common:
        lines.append(f"exact: {len(common)} cells, {len(differences)} counters differ")
        lines += [f"{row.verdict:<9}  {row.name:<{width}}  {row.note}" for row in differences]
    told = [f"{sum(r.verdict == w for r in rows)} {w}" for w in stats.WORDS]
    if rows:
        floors = [f"{100 * max(f.pairs['distance']):.1f} %" if f.measured else "not measured" for f in (tables.floor(a), tables.floor(b))]
        lines.append(f"{len(rows)} cells: {', '.join(told)}; ratio: time of B over A, {100 * stats.CONFIDENCE:.0f} % interval; margin "
                     f"{100 * stats.MARGIN:.0f} %, A/A floor {floors[0]} and {floors[1]}")
    only = [len({r["cell"] for r in x.records} - {r["cell"] for r in y.records}) for x, y in ((a, b), (b, a))]
    if any(only):
        lines.append(f"not compared: {only[0]} cells only in A, {only[1]} only in B")
    return "\n".join(lines), exit_code(rows + differences)
