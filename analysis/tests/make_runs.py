"""Writes a run folder of invented but plausible records: every kind, failed and skipped ones, an A/A pair. For tests only.

    python3 tests/make_runs.py DIR [--big]
"""
from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from daxlab import histogram  # noqa: E402

MEDIA = {"kind": "dram", "class": "emulated", "profile": "dram", "run_bytes": 0, "run": "linear", "size_bytes": 512 << 20, "seed": 1,
         "mmu": "userfaultfd"}
# ns per operation at one thread: workload -> engine
COST = {
    "append": {"null": 22, "native": 950, "native-relaxed": 930, "posix": 1500},
    "overwrite": {"null": 24, "native": 1100, "native-relaxed": 780, "posix": 900},
    "read": {"null": 21, "native": 420, "native-relaxed": 415, "posix": 600},
    "create_unlink": {"null": 30, "native": 2100, "native-relaxed": 2080, "posix": 3900},
    "rename": {"null": 26, "native": 1700, "native-relaxed": 1690, "posix": 2500},
    "stat": {"null": 18, "native": 160, "native-relaxed": 161, "posix": 700},
    "readdir": {"null": 40, "native": 900, "native-relaxed": 905, "posix": 2400},
    "mmap_fault": {"null": None, "native": 5200, "native-relaxed": 5100},
}
OPTIONS = {"null": {}, "posix": {"path": ""}, "native": {"data": "cow", "dirs": "hash", "durability": "op", "policy": "entry-lock"},
           "native-relaxed": {"data": "inplace", "dirs": "hash", "durability": "op", "policy": "entry-lock"}}
CORE = {"log": "buffered", "format": "v2", "meta": "buffer", "map": "contig", "lsunit": "32KiB", "push": "inline", "completion": "inline",
        "durability": "fsync", "log_run": "linear", "write_path": "stream"}
PRESETS = {"xfs-today": {}, "log-direct": {"log": "direct"}, "contig": {"meta": "overlay"},
           "retrofit": {"log": "direct", "format": "v3", "meta": "overlay", "map": "segment"},
           "vmap": {"log": "premap", "meta": "overlay", "map": "vmap-model"}}
PARAMS = {"append": {"block_bytes": "4KiB", "file_size": "32MiB"}, "overwrite": {"block_bytes": "4KiB", "order": "random"},
          "read": {"block_bytes": "4KiB", "order": "random"}, "mmap_fault": {"op": "touch"}}


def short_hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def encode(samples: np.ndarray) -> str:
    bins, counts = np.unique([histogram.bin_of(int(v)) for v in samples], return_counts=True)
    return ",".join(f"{b}:{c}" for b, c in zip(bins, counts))


class Maker:
    """Collects records; the same seed makes the same run."""

    def __init__(self, seed: int = 1, sigma: float = 0.008, run: str = "synthetic"):
        self.rng = np.random.default_rng(seed)
        self.sigma, self.run = sigma, run
        self.records: list[dict[str, Any]] = []
        self.micro: list[dict[str, Any]] = []

    def benchmark(self, name: str, ns: float, repetitions: int = 3, **counters: float) -> None:
        """A row of micro.json for each repetition, as Google Benchmark writes it, and the aggregate that it adds."""
        for repetition in range(repetitions):
            off = 1 + 0.01 * (repetition - 1)
            self.micro.append({"name": name, "run_type": "iteration", "repetition_index": repetition, "iterations": 10, "real_time": ns * off / 1e6,
                               "cpu_time": ns * off / 1e6, "time_unit": "ms"} | counters)
        self.micro.append({"name": f"{name}_mean", "run_type": "aggregate", "real_time": -1.0, "cpu_time": -1.0, "time_unit": "ms"})

    def latency(self, mean_ns: float, count: int = 4000) -> dict[str, Any]:
        samples = mean_ns * 0.9 * self.rng.lognormal(0, 0.18, count)
        slow = self.rng.random(count) < 0.002
        samples = np.where(slow, samples + self.rng.exponential(40_000, count), samples)
        found = histogram.Histogram.decode(text := encode(samples))
        return {"p50": found.quantile(.5), "p90": found.quantile(.9), "p99": found.quantile(.99), "p999": found.quantile(.999),
                "max": float(int(samples.max())), "mean": float(samples.mean()), "histogram": text}

    def counters(self, engine: str, workload: str, ops: int) -> dict[str, int]:
        if engine in ("null", "posix"):
            return {"lines_flushed": 0, "fences": 0, "streamed_bytes": 0}
        data = workload in ("append", "overwrite", "fsync_every")
        lines = {"create_unlink": 9, "rename": 6, "append": 1, "overwrite": 1}.get(workload, 0 if workload in ("read", "stat") else 2)
        return {"lines_flushed": lines * ops, "fences": (2 if data else 3 if lines else 0) * ops, "streamed_bytes": 4096 * ops * data,
                "stored_bytes": 64 * lines * ops, "logical_bytes": 4096 * ops * data, "media_bytes": (4096 * data + 64 * lines) * ops,
                "dram_bytes": 3 << 20, "log_bytes": 64 * ops, "writes": ops * data, "faults_4k": ops * (workload == "mmap_fault"),
                "faults_2m": 0}

    def base(self, engine: str, workload: str, params: dict[str, str], threads: int, options: dict[str, str], crossing: str,
             media: dict[str, Any], kind: str, repetition: int) -> dict[str, Any]:
        fingerprint = short_hash(workload, params)
        return {"schema": 1, "run": self.run, "cell": short_hash(engine, options, fingerprint, threads, crossing, media),
                "time": f"2026-11-22T10:{len(self.records) // 60 % 60:02d}:{len(self.records) % 60:02d}Z", "kind": kind, "engine": engine,
                "options": options, "workload": workload, "params": params, "fingerprint": fingerprint, "threads": threads,
                "crossing": crossing, "repetition": repetition, "seed": 42 + repetition, "media": media}

    def cell(self, engine: str, workload: str, ns: float, params: dict[str, str] | None = None, threads: int = 1,
             options: dict[str, str] | None = None, crossing: str = "none", media: dict[str, Any] = MEDIA, repetitions: int = 5,
             counters: dict[str, int] | None = None, twins: bool = False, probes: dict[str, Any] | None = None) -> None:
        params = PARAMS.get(workload, {"population": "10000"}) if params is None else params
        options = OPTIONS.get(engine, CORE | PRESETS.get(engine, {})) if options is None else options
        where = (engine, workload, params, threads, options, crossing, media)
        kinds = [("plain", r) for r in range(repetitions)] + ([("accounted", 0), ("traced", 0)] if twins else [])
        for kind, repetition in kinds:
            slower = {"plain": 1.0, "accounted": 1.12, "traced": 1.04}[kind]
            each = ns * slower * float(np.exp(self.rng.normal(0, self.sigma)))
            ops = max(10_000, int(0.15e9 * threads / each))
            record = self.base(*where, kind, repetition) | {
                "status": "ok", "ops": ops, "seconds": ops * each / 1e9 / threads, "ops_per_s": 1e9 * threads / each, "ns_per_op": each,
                "bytes_per_s": 4096e9 * threads / each if "block_bytes" in params else 0, "latency_ns": self.latency(each),
                "counters": self.counters(engine, workload, ops) | {k: v * ops for k, v in (counters or {}).items()},
                "verified": "not-applicable" if engine == "null" else True}
            if kind != "plain":
                record["overhead"] = slower
            if kind == "accounted":
                record["explain_ns"] = self.explain(each * ops, 0.16 if workload == "rename" else 0.05)
            if kind == "traced":
                record["probes"] = probes(record) if callable(probes) else probes or {}
            self.records.append(record)

    def explain(self, total_ns: float, residual: float) -> dict[str, float]:
        shares = {"copy": .35, "flush": .15, "fence": .12, "log_format": .02, "log_write": .06, "crc": .05, "map": 0, "fault": 0,
                  "lock_wait": .01, "index": .09, "harness": .10}
        scale = (1 - residual) / sum(shares.values())
        return {k: v * scale * total_ns for k, v in shares.items()} | {"residual": residual * total_ns}

    def exact(self, engine: str, workload: str, params: dict[str, str], counters: dict[str, int], models: str = "") -> None:
        media = {"kind": "nvdimm", "class": "guest", "profile": "dram", "run_bytes": 0, "size_bytes": 1 << 30, "mmu": "none"}
        self.records.append(self.base(engine, workload, params, 1, {"models": models} if models else {}, "syscall", media, "exact", 0) |
                            {"status": "ok", "ops": 1000, "counters": counters, "verified": True})

    def broken(self, status: str, error: str, **fields: Any) -> None:
        base = self.base(fields.get("engine", "native"), fields.get("workload", "append"), {"block_bytes": "2MiB"}, 1,
                         OPTIONS["native"], "none", MEDIA, fields.get("kind", "plain"), 0)
        self.records.append(base | {"status": status, "error": error})

    def write(self, folder: Path, torn: bool = False) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(r) + "\n" for r in self.records)
        (folder / "results.jsonl").write_text(text + ('{"schema": 1, "run": "syn' if torn else ""))
        (folder / "environment.json").write_text(json.dumps(ENVIRONMENT, indent=1))
        if self.micro:
            (folder / "micro.json").write_text(json.dumps({"context": {}, "benchmarks": self.micro}))
        return folder


ENVIRONMENT = {
    "schema": 1, "time": "2026-11-22T10:00:00Z", "host": "synthetic", "command_line": ["daxlab", "run", "--seed", "42"], "matrix": "quick",
    "matrix_hash": "00c0ffee", "seed": 42, "repetitions": 5, "seconds": 0.15, "ops": 0, "probes": ["auto"],
    "build": {"preset": "release", "compiler": "g++ 12.2.0", "version": "0.1.0"},
    "git": {"commit": "0123456789abcdef", "branch": "main", "dirty": False},
    "kernel": {"release": "6.18.0", "distribution": "Debian GNU/Linux 12 (bookworm)", "hypervisor": True},
    "cpu": {"model": "Invented CPU 9000 @ 2.6 GHz", "count": 2, "cache_l3_bytes": 32 << 20, "governor": None,
            "mitigations": {"spectre_v2": "Mitigation: IBRS", "meltdown": "Not affected"}},
    "memory": {"total": "24 GiB", "thp": "madvise", "media_in_huge_pages": False},
    "pmem": {"nd_devices": [], "media": ["dram:512MiB"], "flush_instruction": "clwb"},
    "calibration": {"extent": "quick", "seconds": 1.2, "medium": {"stream_4k_fence": {"p50_ns": 410.5, "p99_ns": 690.0},
                                                                   "persist_line": {"p50_ns": 51.0}},
                    "delay": {"optane_flush": {"p50_ns": 94.0, "target_ns": 90.0, "error": 0.044}},
                    "not_measured": [{"what": "probe costs", "reason": "EPERM: needs CAP_BPF"}]},
}


def log2(values_ns: float, count: int) -> dict[str, Any]:
    slot = int(np.log2(max(values_ns, 1)))
    slots = [0] * (slot + 2)
    slots[slot], slots[slot + 1] = count - count // 10, count // 10
    return {"count": count, "sum": int(values_ns * count * 1.1), "max": int(values_ns * 5), "slots": slots}


def _probe(attached_by: str, histograms: dict[str, Any] | None = None, counts: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    return {"attached_by": attached_by, "fallback": "", "skipped": "", "lost": 0, "counts": counts or {}, "histograms": histograms or {}} | more


def lock_probes(record: dict[str, Any]) -> dict[str, Any]:
    """As the probes of the suite report fault_vs_write; the waits in writes are 3 % short, so that a disagreement can be seen."""
    c = record["counters"]
    return {
        "lock_wait": _probe("usdt:lock_contended,lock_acquired", {
            "wait_elsewhere": log2(900, 5), "wait_in_fault": log2(2600, c["lock_waits_fault"]),
            "wait_in_write": log2(1900, int(c["lock_waits_write"] * 0.97))}),
        "user_fault": _probe("usdt:fault_begin,fault_end", {"write": log2(4100, c["faults_4k"])}, {"failed": 0}),
        "user_write": _probe("usdt:write_begin,write_end", {"write": log2(1500, c["writes"])}, {"bytes": 4096 * c["writes"]}),
        "page_fault": _probe("perf_event:page-faults-min", {}, {"pmem_write": c["faults_4k"]}, lost=3,
                             fallback="fexit:handle_mm_fault: EBUSY: no BPF trampoline here"),
        "tlb": _probe("", skipped="EPERM: needs CAP_PERFMON; run as root"),
    }


def core_cells(make: Maker) -> None:
    """What harness/retrofit.toml and the benchmarks of engines/retrofit and engines/vmap give, thinned out."""
    many = {"population": "50000"}
    make.cell("null", "create_unlink", 30, many)
    for log, format_, ns in (("buffered", "v2", 9000), ("direct", "v2", 8500), ("buffered", "v3", 9100), ("direct", "v3", 7000)):
        make.cell("xfs-today" if log == "buffered" else "log-direct", "create_unlink", ns, many, options=CORE | {"log": log, "format": format_})
    names = {"population": "20000"}
    make.cell("null", "create_unlink", 30, names)
    for engine, run, ns in (("contig", "linear", 4000), ("retrofit", "linear", 4100), ("retrofit", "16KiB", 4300), ("retrofit", "4KiB", 5200)):
        make.cell(engine, "create_unlink", ns, names, options=CORE | PRESETS[engine] | {"dirblock": "64KiB", "meta_run": run})
    for geometry in ("linear", "scatter4KiB"):
        for size in (4096, 32768):
            arms = {"buffered_v2": 1.0, "direct_v2": 1.2, "buffered_v3": 1.4, "direct_v3": 0.9}
            make.benchmark(f"retrofit/log/force/{geometry}/{size}/iterations:100", 5.0 * size,
                           **{f"{arm}_p50_ns": factor * size / 4 + 900 for arm, factor in arms.items()})
    for arm, factor in (("model/lazy", 1.0), ("model/eager", 3.0), ("real/lazy", 20.0)):
        for pages in (4, 16):
            for threads in (1, 2):
                make.benchmark(f"vmap/map/{arm}/{pages}/iterations:4000/real_time/threads:{threads}", 500.0 * factor,
                               map_ns=300 * factor + 30 * pages, unmap_ns=170 * factor)


def standard(seed: int = 1, core: bool = False) -> Maker:
    """The quick matrix: null, native, native-relaxed and posix (and the core's presets), 1 and 2 threads, an A/A pair."""
    make = Maker(seed)
    rows = {w: dict(e) for w, e in COST.items()}
    if core:
        for workload, engines in rows.items():
            for name, factor in zip(PRESETS, (1.9, 1.7, 1.8, 1.45, 1.85)):
                engines[name] = (engines["native-relaxed"] or 0) * factor
    for workload, engines in rows.items():
        for engine, ns in engines.items():
            for threads in (1, 2):
                for crossing in ("none", "syscall"):
                    if ns is None or (engine == "posix" and crossing == "none") or (crossing == "syscall" and workload not in (
                            "append", "overwrite", "create_unlink")):
                        continue
                    make.cell(engine, workload, ns * (1 if threads == 1 else 1.25) + (90 if crossing == "syscall" else 0), threads=threads,
                              crossing=crossing, twins=crossing == "none")
    for population, factor in (("1000", 0.95), ("100000", 1.1)):
        for engine in ("null", "native", "native-relaxed"):
            make.cell(engine, "create_unlink", COST["create_unlink"][engine] * (factor if engine != "null" else 1), {"population": population})
    for label in "ab":
        make.cell("native", "overwrite", 1100, options=OPTIONS["native"] | {"label": label})
    for n, share in (("1", 1.0), ("4", .55), ("16", .42), ("64", .38), ("inf", .36)):
        params = {"op": "create", "n": n, "population": "10000"}
        for engine, ns in {"null": 35 / share * .4, "native": 2100, "native-relaxed": 2090}.items():
            make.cell(engine, "fsync_every", ns * (1 if engine != "null" else share), params)
        if core:
            for name, factor in zip(PRESETS, (9000, 8000, 8600, 5200, 8500)):
                make.cell(name, "fsync_every", factor * share, params)
    for policy, waits in (("exclusive", .4), ("entry-lock", .06)):
        for engine in ("native", "native-relaxed"):
            options = OPTIONS[engine] | {"policy": policy}
            params = {"faulters": "1", "writers": "1", "file_size": "32MiB"}
            ops = 30_000
            make.cell(engine, "fault_vs_write", 5200 * (1 + waits), params, threads=2, options=options, twins=True)
            for record in make.records[-7:]:
                record["counters"] |= {"faults_4k": ops, "writes": 3 * ops, "lock_waits_fault": int(ops * waits), "lock_waits_write":
                                       int(ops * waits * .7), "lock_wait_fault_ns": int(ops * waits * 2900), "lock_wait_write_ns":
                                       int(ops * waits * .7 * 2100)}
                record["roles"] = {role: {"threads": 1, "ops": count, "ns_per_op": record["seconds"] * 1e9 / count, "latency_ns":
                                          record["latency_ns"]} for role, count in (("faulter", ops), ("writer", 3 * ops))}
            make.records[-1]["probes"] = lock_probes(make.records[-1])
    for files in (1000, 32000, 1000000):
        for name, ns in (("clean", 1.2e6), ("clean_tree", 1.3e6), ("crash", 1.25e6), ("crash_tree", 1.35e6)):
            make.benchmark(f"mount/{name}/{files}/real_time", ns * files / 1000 / (1 + files / 5000), inodes_per_s=1e6)
        for name in ("create_unlink", "create_unlink_in_tree", "rename_within"):
            make.benchmark(f"{name}/{files}", 1500.0, p50_ns=1400.0 + files / 1e4)
    core_cells(make)
    make.broken("failed", "no space left on the medium: 512 MiB are full at 2 MiB blocks")
    make.broken("failed", "child died of signal 9 (Killed)", workload="rename")
    make.broken("skipped", "needs hugetlbfs: no 2 MiB pages are reserved; remedy: echo 64 > /proc/sys/vm/nr_hugepages", kind="traced")
    return make


if __name__ == "__main__":
    standard(core="--big" in sys.argv).write(Path(sys.argv[1]), torn=True)
