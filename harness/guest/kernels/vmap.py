"""What vm_map_ram() of pmem pages costs in the guest's kernel, what it asks for, and what it does where nobody may wait.

Three parts: costs by size, of fresh and of used page tables, in an empty and in a fragmented window; a recorded mixture, which the model of
engines/vmap is held to; log writes under memory pressure. All counts, exact and the same from run to run.
"""
from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import LabError, lab, machine, say, symbols
from . import build

HERE = Path(__file__).parent
SIZES = (1, 2, 4, 8, 16, 32, 64, 65, 128, 256, 512)
TIMES = 32
FUNCTIONS = ("vm_map_ram", "vm_unmap_ram", "vm_unmap_aliases", "alloc_vmap_area", "free_vmap_block", "free_vmap_area_noflush",
             "__purge_vmap_area_lazy", "purge_fragmented_blocks_allcpus", "drain_vmap_area_work", "flush_tlb_kernel_range", "__pte_alloc_kernel",
             "__pmd_alloc", "__pud_alloc", "vmap_pages_range_noflush", "__vmap_pages_range_noflush", "vunmap_range_noflush", "__alloc_pages",
             "kmem_cache_alloc_node", "__kmalloc_node", "try_to_free_pages", "do_flush_tlb_all", "do_kernel_range_flush", "shrink_scan",
             "xfs_create", "xfs_remove", "_xfs_buf_map_pages", "memmap_init_zone_device", "handle_mm_fault")
SEQUENCE = (20261127, 20000, 400)  # seed, steps, mappings at most: engines/vmap/recorded_test.cc
BASE = machine.MEDIUM_ADDRESS + (256 << 20)
NOFS, NORECLAIM, EXHAUSTED, FAIL_AREA, FAIL_TABLE, KEEP = 1, 2, 4, 8, 16, 32  # vmap_probe.h
LOG_PAGES, LOG_WRITES = 64, 1000  # the largest iclog; address space for 250 of Debian's blocks of 1 MiB


@dataclass(frozen=True)
class Line:
    """A request, and what is asked by it: a part, a size in pages, how often."""

    text: str
    part: str = ""
    pages: int = 0
    times: int = 0


def cost_lines() -> list[Line]:
    lines = [Line("aliases")]
    for pages in SIZES:  # kept until all are measured, so that every one reaches addresses that never had a page table
        lines.append(Line(f"map {pages} {TIMES}", "map, fresh tables", pages, TIMES))
    for pages in reversed(SIZES):
        lines.append(Line(f"unmap {TIMES}", "unmap", pages, TIMES))
    lines.append(Line("aliases", "purge", sum(SIZES) * TIMES, 1))
    for pages in SIZES:
        lines += [Line(f"map {pages} {TIMES}", "map, used tables", pages, TIMES), Line(f"unmap {TIMES}", "unmap, block or area", pages, TIMES),
                  Line("aliases", "purge of one size", pages * TIMES, 1)]
    # Holes of 65 pages between live areas, and blocks that one live page keeps.
    lines += [Line("map 65 2000"), Line("even 2000"), Line("aliases", "purge of 1000 holes", 65000, 1), Line("map 1 2560"), Line("even 2560")]
    for pages in SIZES:
        lines += [Line(f"map {pages} {TIMES}", "map, fragmented window", pages, TIMES), Line(f"unmap {TIMES}", "unmap, fragmented window", pages, TIMES)]
    return [*lines, Line("unmap 2280"), Line("aliases")]


def sequence_lines() -> list[Line]:
    seed, steps, mappings = SEQUENCE
    return [Line("aliases"), Line(f"sequence {seed} {steps} {mappings}", "sequence", 0, steps), Line("aliases")]


# Each in a guest of its own. "before": log writes with memory free, their mappings kept until they are all made, so that every page table is there.
LOGS = (("memory is free", False, NOFS | KEEP), ("an area cannot be had", False, NOFS | FAIL_AREA | KEEP),
        ("a page table cannot be had", False, NOFS | FAIL_TABLE | KEEP),
        ("a page table cannot be had, tables made before", True, NOFS | FAIL_TABLE | KEEP),
        ("no memory, GFP_NOFS", False, NOFS | EXHAUSTED | KEEP), ("no memory, GFP_KERNEL", False, EXHAUSTED | KEEP),
        ("no memory, GFP_NOFS, tables made before", True, NOFS | EXHAUSTED | KEEP),
        ("no memory, GFP_NOFS, tables made before, one mapping at a time", True, NOFS | EXHAUSTED),
        ("no memory, GFP_NOFS, reserves allowed", False, NOFS | NORECLAIM | EXHAUSTED | KEEP))


def log_scripts() -> list[list[Line]]:
    scripts = []
    for name, before, flags in LOGS:
        lines = [Line("aliases")]
        if before:
            lines += [Line(f"log {LOG_PAGES} {LOG_WRITES} {NOFS | KEEP}"), Line("aliases")]
        scripts.append([*lines, Line(f"log {LOG_PAGES} {LOG_WRITES} {flags}", f"log: {name}", LOG_PAGES, LOG_WRITES)])
    return scripts


def symbol_table(kallsyms: str) -> str:
    """As symbols.table(), watching what is asked here."""
    functions = symbols.read(kallsyms)
    lines = ["group kernel", f"range {functions[0][0]:x} 0"]
    watched = set(FUNCTIONS)
    for (begin, name, _), (end, *_) in zip(functions, functions[1:]):
        if name in watched:
            watched.discard(name)
            lines.append(f"function {begin:x} {end:x} {name}")
    return "\n".join(lines) + "\n"


JOB = """. /job.env
ndctl create-namespace -f -e namespace$MEDIUM.0 -m fsdax -M mem || exit 1
insmod /job/vmap_probe.ko base={base:#x} || exit 1
/job/vmap_drive < /job/script > /out/said
"""


def run(made: lab.Lab, state: Path, root: Path, lines: list[Line]) -> list[dict[str, Any]]:
    """Each line with what the module answered and the classes that the plugin counted."""
    folder = build.headers(state / "headers", made.kernel.release, made.kernel.package.split()[1], state / "setup.log")
    module = build.module("vmap_probe", [HERE / name for name in ("vmap_main.c", "vmap_log.c", "vmap_internal.h", "vmap_probe.h")], folder,
                          state / "vmap_probe")
    drive = state / "vmap_drive"
    lab.compile_c(HERE / "vmap_drive.c", drive, root, "-static")
    files = {"job.sh": JOB.format(base=BASE).encode(), "vmap_probe.ko": module.read_bytes(), "vmap_drive": drive.read_bytes(),
             "script": "".join(line.text + "\n" for line in lines).encode()}
    with tempfile.TemporaryDirectory(prefix="daxlab-vmap.") as work:
        counted, table = Path(work) / "counted.json", Path(work) / "symbols"
        table.write_text(symbol_table((state / "kallsyms").read_text()))
        out, names = machine.escaped(counted), machine.escaped(table)
        end = machine.MEDIUM_ADDRESS + machine.MEDIUM_BYTES
        plugin = f"{machine.escaped(made.plugin)},out={out},symbols={names},lo={machine.MEDIUM_ADDRESS:#x},hi={end:#x}"
        answer = machine.run_job(made.guest, files, plugin)
        said = answer.get("said", b"").decode().splitlines()
        if answer.get("code", b"").strip() != b"0" or len(said) != len(lines):
            raise LabError(f"vmap: {' '.join(answer.get('log', b'').decode(errors='replace').strip().splitlines()[-2:]) or 'the guest said nothing'}")
        cells = json.loads(counted.read_text())["cells"]
    dmesg = answer.get("dmesg", b"").decode(errors="replace").splitlines()
    out_lines = []
    for line, words, cell in zip(lines, said, cells, strict=True):
        done, failed, waits, refused = map(int, words.split())
        out_lines.append({"text": line.text, "part": line.part, "pages": line.pages, "times": line.times, "done": done, "failed": failed,
                          "waits": waits, "refused": refused, "classes": cell})
        if line.part.startswith("log:"):  # where the writer was found waiting
            out_lines[-1]["stack"] = stack_of(dmesg)
    return out_lines


def stack_of(dmesg: list[str]) -> list[str]:
    """The functions on the log writer's stack, innermost first, or none where it did not wait."""
    found = [number for number, text in enumerate(dmesg) if "the log writer waits" in text]
    if not found:
        return []
    names = re.compile(r"\] +([A-Za-z_][\w.]*)\+0x[0-9a-f]+/")  # without the uncertain ones, which begin with a question mark
    end = next((n for n, text in enumerate(dmesg) if n > found[0] and "</TASK>" in text), len(dmesg))
    return [match[1] for text in dmesg[found[0]:end] if (match := names.search(text))]


def calls(line: dict[str, Any], name: str, *classes: str) -> tuple[int, int]:
    """Calls of a function in a line, and instructions from entry to return."""
    found = [line["classes"].get(c, {}).get("functions", {}).get(name, {}) for c in classes or line["classes"]]
    return sum(f.get("calls", 0) for f in found), sum(f.get("instructions", 0) for f in found)


def tell(lines: list[dict[str, Any]]) -> None:
    """The table that engines/vmap/costs.* is made of."""
    if any(line["part"].startswith(("map", "unmap")) for line in lines):
        say(f"{'what':34} pages  instructions each   areas tables flushes purges")
    for line in lines:
        if not line["part"] or line["part"].startswith(("log:", "sequence")):
            continue
        function = {"map": "vm_map_ram", "unm": "vm_unmap_ram", "pur": "vm_unmap_aliases"}[line["part"][:3]]
        count, inside = calls(line, function)
        rest = [calls(line, name)[0] for name in ("alloc_vmap_area", "__pte_alloc_kernel", "flush_tlb_kernel_range", "__purge_vmap_area_lazy")]
        say(f"{line['part']:34} {line['pages']:5} {inside / max(count, 1):18.1f} " + " ".join(f"{n:7}" for n in rest))
    for line in lines:
        if line["part"] == "sequence":
            blocks, areas = calls(line, "alloc_vmap_area", "step")[0], calls(line, "alloc_vmap_area", "reset")[0]
            say(f"sequence {line['text']}: block allocations {blocks}, area allocations {areas}, purges {calls(line, '__purge_vmap_area_lazy')[0]}, "
                f"flushes {calls(line, 'flush_tlb_kernel_range')[0]}, tables {calls(line, '__pte_alloc_kernel')[0]}")
        if line["part"].startswith("log:"):
            left = line["times"] - line["done"] - line["failed"]
            say(f"{line['part']}: {line['done']} mapped, {line['failed']} failed, {left} left when the writer was found waiting; "
                f"reclaim waited for the log {line['waits']} times, turned back {line['refused']} times")
            if line["stack"]:
                say("  " + " < ".join(line["stack"]))
