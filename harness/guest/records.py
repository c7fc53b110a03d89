"""What the plugin counted and what a cell said of itself, as a line of results.jsonl.

Counters of a record are sums over the measured steps, everything that ran meanwhile included: the kernel's threads too. What the plugin
counts replaces what the engine counted in process, for a kernel counts nothing there; times are left out, for nothing is timed here.
Beside the sums:
    <class>_<counter>   of the classes fsync, create, unlink (parts of a step), reset (a worker's return to its starting state: msync of
                        mmap_fault) and deferred (the sync afterwards); <class>_count is how often. Not part of the sums: reset, deferred
    kernel_<group>      instructions by part of the kernel (symbols.py)
    calls_<function>    calls of a watched function; inside_<function> the instructions and stored_<function> the bytes stored to the NVDIMM
                        from its entries to its returns, other threads included
A kernel's commits are how often its log writers ran, and its log_bytes what they stored; deferred_commits and deferred_log_bytes are those of
the sync afterwards, so that what a batch leaves to it is counted too. XFS's writer leaves its function by a jump into the block layer, so there
it is what went through the driver less what zeroed new blocks.
"""
from __future__ import annotations

from typing import Any

IN_STEP = ("step", "create", "unlink", "fsync")
BY_PLUGIN = ("instructions_user", "clwb", "fences", "locked", "streamed_bytes", "nvdimm_bytes_written", "nvdimm_bytes_read", "nvdimm_lines_written",
             "nvdimm_blocks_written")
LINE_BYTES = 64
JOURNAL_WRITERS = ("jbd2_journal_commit_transaction", "ext4_fc_commit")
XFS_LOG_WRITER = "xlog_write_iclog"


def flat(tally: dict[str, Any]) -> dict[str, int]:
    """One class's counts under the names of the schema."""
    out = dict(tally["counters"])
    out["instructions_kernel"] = sum(tally["groups"].values())
    out |= {f"kernel_{group}": count for group, count in tally["groups"].items()}
    for function, counted in tally["functions"].items():
        out[f"calls_{function}"] = counted["calls"]
        out[f"inside_{function}"] = counted["instructions"]
        out[f"stored_{function}"] = counted["bytes_written"]
    return out


def total(tallies: list[dict[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for tally in tallies:
        for name, count in tally.items():
            out[name] = out.get(name, 0) + count
    return out


def log_of(tally: dict[str, int]) -> dict[str, int]:
    """How often a kernel's log was written and with how many bytes; nothing where no log writer ran."""
    commits = sum(tally.get(f"calls_{writer}", 0) for writer in (*JOURNAL_WRITERS, XFS_LOG_WRITER))
    if not commits:
        return {}
    if f"calls_{XFS_LOG_WRITER}" in tally:
        stored = tally.get("stored_pmem_submit_bio", 0) - tally.get("stored_blkdev_issue_zeroout", 0)
    else:
        stored = sum(tally.get(f"stored_{writer}", 0) for writer in JOURNAL_WRITERS)
    return {"commits": commits, "log_bytes": stored}


def counters(in_process: dict[str, int], counted: dict[str, Any]) -> dict[str, int]:
    classes = {name: flat(tally) for name, tally in counted.items()}
    sums = total([tally for name, tally in classes.items() if name in IN_STEP])
    out = {name: sums.get(name, 0) for name in (*BY_PLUGIN, "instructions_kernel")}
    out["lines_flushed"] = out["clwb"]
    out["media_bytes"] = out["nvdimm_lines_written"] * LINE_BYTES
    out |= {name: count for name, count in sums.items() if count and name not in out}
    if sums.get("calls_try_to_wake_up"):
        out["wakeups"] = in_process.get("wakeups", 0) + sums["calls_try_to_wake_up"]
    out |= log_of(sums)
    for name, tally in classes.items():
        if name == "step" or not counted[name]["visits"]:
            continue
        out[f"{name}_count"] = counted[name]["visits"]
        out |= {f"{name}_{counter}": tally[counter] for counter in (*BY_PLUGIN, "instructions_kernel") if tally.get(counter)}
    out |= {f"deferred_{name}": count for name, count in log_of(classes.get("deferred", {})).items()}
    return {name: count for name, count in in_process.items() if name not in out and not name.endswith("_ns")} | out


def record(stub: dict[str, Any], run: str, time: str, result: dict[str, Any], counted: dict[str, Any]) -> dict[str, Any]:
    """The line of one cell. `stub` is what was known before; `result` what the cell said; `counted` its classes by the plugin."""
    line = stub | {"run": run, "time": time, "status": result["status"]}
    if "mmu" in result:
        line["media"] = stub["media"] | {"mmu": result["mmu"]}
    if result["status"] != "ok":
        return line | {"error": result.get("error") or "no reason given"}
    visits = counted.get("step", {}).get("visits", 0)
    pauses = result.get("pauses", 0)
    if visits < result["ops"]:
        return line | {"status": "failed", "error": f"the plugin saw {visits} of {result['ops']} operations"}
    return line | {"ops": result["ops"], "pauses": pauses, "counters": counters(result["counters"], counted), "verified": result["verified"]}


def failed(stub: dict[str, Any], run: str, time: str, error: str) -> dict[str, Any]:
    return stub | {"run": run, "time": time, "status": "failed", "error": error}


def differences(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[str]:
    """Every counter that differs between two runs of the same plan, and every cell that did not run."""
    out = []
    for one, two in zip(first, second, strict=True):
        name = f"{one['engine']}, {one['workload']}"
        out += [f"{name}: {line['error']}" for line in (one, two) if line["status"] != "ok"]
        counters = [line.get("counters", {}) for line in (one, two)]
        out += [f"{name}: {counter}: {counters[0].get(counter, 0)}, then {counters[1].get(counter, 0)}"
                for counter in sorted(counters[0].keys() | counters[1].keys()) if counters[0].get(counter, 0) != counters[1].get(counter, 0)]
    return out
