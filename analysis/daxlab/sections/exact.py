"""The exact laboratory's counts in full: every operation, what was left for later, msync, and the functions that were watched."""
from __future__ import annotations

from typing import Any

from .. import exact, style, tables
from ..load import Runs
from ..report import Report

TITLE = "Exact counts"
ORDER = 36

COLUMNS = (("user instr.", "instructions_user"), ("kernel instr.", "instructions_kernel"), ("fences", "fences"), ("flushed lines", "clwb"),
           ("locked", "locked"), ("streamed B", "streamed_bytes"), ("NVDIMM B stored", "nvdimm_bytes_written"), ("NVDIMM B read", "nvdimm_bytes_read"),
           ("64 B lines", "nvdimm_lines_written"), ("256 B blocks", "nvdimm_blocks_written"), ("log B", "log_bytes"), ("wake-ups", "wakeups"))
LATER = (("deferred", "sync after the operations"), ("reset", "return to the starting state (msync of mmap_fault)"))


def count_rows(found: exact.Operation) -> list[dict[str, Any]]:
    rows = exact.by_series(found)
    return [{"series": name, "values": [exact.per_op(rows[name], counter) for _, counter in COLUMNS], "amplification": amplification(rows[name])}
            for name in style.ordered(rows)]


def amplification(row: Any) -> float | None:
    """Bytes of 256-byte blocks that reach the medium for each byte that the caller wrote; None where none was."""
    logical = exact.per_op(row, "logical_bytes")
    return 256 * exact.per_op(row, "nvdimm_blocks_written") / logical if logical else None


def later_rows(operations: list[exact.Operation]) -> list[dict[str, Any]]:
    """What was not done in an operation: each time it was done, and per operation."""
    out = []
    for found in operations:
        for name, row in sorted(exact.by_series(found).items(), key=lambda item: style.rank(item[0])):
            for prefix, what in LATER:
                times = row["counters"].get(f"{prefix}_count", 0)
                total = sum(row["counters"].get(f"{prefix}_{c}", 0) for c in ("instructions_user", "instructions_kernel"))
                if not times or not total or style.engine_of(name) == "null":
                    continue
                values = {c: row["counters"].get(f"{prefix}_{c}", 0) for c in ("clwb", "fences", "nvdimm_bytes_written")}
                out.append({"operation": found.name, "series": name, "what": what, "times": times, "instructions": total / times,
                            "per_op": total / row["ops"], **{c: count / times for c, count in values.items()}})
    return out


def function_rows(operations: list[exact.Operation]) -> list[dict[str, Any]]:
    """Watched kernel functions: calls per operation, and per call instructions and bytes."""
    out = []
    for found in operations:
        for name, row in sorted(exact.by_series(found).items(), key=lambda item: style.rank(item[0])):
            if style.engine_of(name) not in exact.KERNEL:
                continue
            counters = row["counters"]
            for key in sorted(k for k in counters if k.startswith("calls_")):
                function, calls = key.removeprefix("calls_"), counters[key]
                if calls:
                    out.append({"function": function, "operation": found.name, "series": name, "calls": calls / row["ops"],
                                "instructions": counters.get(f"inside_{function}", 0) / calls, "stored": counters.get(f"stored_{function}", 0) / calls})
    return sorted(out, key=lambda r: (r["function"], r["series"], r["operation"]))


def groups_of(runs: Runs) -> list[tuple[str, list[exact.Operation]]]:
    out = []
    for media in runs.media:
        try:
            out.append((media, exact.operations(runs.on(media))))
        except tables.NotInRun:
            pass
    return out


def body(report: Report) -> str | None:
    groups = groups_of(report.runs)
    if not groups:
        return None
    tables_of = [(media, [(found.name, count_rows(found)) for found in operations], later_rows(operations), function_rows(operations))
                 for media, operations in groups]
    guests = [e["guest"] for e in report.runs.environments if e.get("guest")]
    return report.template("exact.html", groups=tables_of, columns=[head for head, _ in COLUMNS], guests=guests)
