"""The counting plugin (harness/guest/plugin/count.c) under a stand-in for QEMU: each counter against a few instructions whose counts are known."""
import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")

LO, SIZE = 1 << 32, 1 << 20   # the NVDIMM, physical
DIRECT = 0xffff888000000000   # where the kernel maps physical memory
HOST = 0x7f0000000000         # QEMU's own address of physical 0
KERNEL, USER = 0xffffffff81000000, 0x401000
NOP, SFENCE, CLWB, MOVNTI, MOV, RET, LOCKED = "90", "0faef8", "660fae30", "480fc307", "488907", "c3", "f0480fb10f"
SHOWN_FLUSH = "3e803800"
GROUPS = ("other", "file_system", "log", "copy", "block_pmem", "scheduler", "vfs", "security")
CELL, STEP, RESET, DEFERRED, OUTSIDE, MEDIUM, TRACE_BEGIN, TRACE_END, OP_BEGIN, OP_END = range(0x200, 0x20a)
CLASS_END, CREATE, UNLINK, FSYNC = range(0x100, 0x104)


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    program = tmp_path_factory.mktemp("plugin") / "fake"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", f"-I{ROOT}", str(ROOT / "harness/guest/plugin/fake_qemu.c"), "-o", str(program)], check=True)
    return program


class Machine:
    """A program of the guest, instruction by instruction."""

    def __init__(self):
        self.lines = []

    def run(self, code=NOP, at=USER, times=1, access=""):
        self.lines += [f"{at:x} {code} {access}"] * times
        return self

    def mark(self, number):
        return self.run("0f1f80" + struct.pack("<I", 0x44580000 | number).hex())

    def touch(self, offset, kind="w", code=MOV, size=8, user=False, at=None):
        physical = LO + offset
        virtual = 0x10000000 + offset if user else DIRECT + physical
        return self.run(code, at or (USER if user else KERNEL), access=f"{kind} {virtual:x} {HOST + physical:x} {size:x}")


@pytest.fixture
def count(fake, tmp_path):
    def run(machine, *options, symbols=()):
        table = [f"group {group}" for group in GROUPS]
        table += [f"range {KERNEL + 0x1000 * number:x} {number}" for number in range(len(GROUPS))]
        (tmp_path / "symbols").write_text("\n".join([*table, *symbols, ""]))
        words = [f"out={tmp_path / 'out'}", f"symbols={tmp_path / 'symbols'}", f"lo={LO:#x}", f"hi={LO + SIZE:#x}", *options]
        subprocess.run([str(fake), *words], input="\n".join(machine.lines) + "\n", text=True, check=True)
        run.whole = json.loads((tmp_path / "out").read_text())
        return run.whole["cells"]

    return run


def step(machine):
    """In a cell's step, after an access that shows where the medium is."""
    return machine.touch(0, "r").mark(CELL).mark(STEP)


def test_instructions_are_counted_where_they_run_by_group_of_the_kernel(count):
    machine = step(Machine())
    for number in range(len(GROUPS)):
        machine.run(at=KERNEL + 0x1000 * number, times=number + 1).run(at=KERNEL + 0x1000 * number + 0xfff)
    found = count(machine.run(times=7).mark(OUTSIDE).run(times=100))[0]["step"]
    assert found["groups"] == {group: number + 2 for number, group in enumerate(GROUPS)}
    assert found["counters"]["instructions_user"] == 7 + 1, "the mark that ends the step runs in it"


def test_flushes_fences_and_locked_instructions(count):
    counters = count(step(Machine()).run(CLWB, times=3).run(SFENCE, times=2, at=KERNEL).run(LOCKED, times=5).mark(OUTSIDE).run(CLWB))[0]["step"]["counters"]
    assert (counters["clwb"], counters["fences"], counters["locked"]) == (3, 2, 5)


def test_bytes_of_the_medium_and_of_nothing_else(count):
    machine = step(Machine()).touch(64).touch(128, code=MOVNTI).touch(4096, "r", size=4).touch(SIZE).run(MOV, access=f"w {USER:x} {HOST + 4096:x} 8")
    counters = count(machine.mark(OUTSIDE).touch(64))[0]["step"]["counters"]
    assert (counters["nvdimm_bytes_written"], counters["streamed_bytes"], counters["nvdimm_bytes_read"]) == (16, 8, 4)


def test_lines_and_blocks_are_counted_once_between_two_fences(count):
    def written(machine):
        counters = count(machine.mark(OUTSIDE))[0]["step"]["counters"]
        return counters["nvdimm_lines_written"], counters["nvdimm_blocks_written"]

    assert written(step(Machine()).touch(0).touch(8).touch(56)) == (1, 1)
    assert written(step(Machine()).touch(60)) == (2, 1), "a store that crosses a line writes two"
    assert written(step(Machine()).touch(252)) == (2, 2), "and one that crosses a block two blocks"
    assert written(step(Machine()).touch(0).touch(64).touch(192).touch(256)) == (4, 2)
    assert written(step(Machine()).touch(0).run(SFENCE).touch(0).run(SFENCE).touch(64)) == (3, 3)
    assert written(step(Machine()).touch(0).run(CLWB).touch(0)) == (1, 1), "a flush alone ends nothing"


def test_a_programs_mapping_is_the_medium_too(count):
    told = Machine().mark(CELL).mark(MEDIUM).touch(0, "r", user=True).mark(STEP).touch(640, user=True).mark(OUTSIDE)
    assert count(told)[0]["step"]["counters"]["nvdimm_bytes_written"] == 8
    other = Machine().mark(CELL).mark(MEDIUM).touch(0, "r", user=True).mark(STEP).run(MOV, access=f"w 10000280 {HOST + LO + SIZE:x} 8").mark(OUTSIDE)
    assert count(other)[0]["step"]["counters"]["nvdimm_bytes_written"] == 0


def test_classes_take_their_parts_of_a_step_and_what_is_later_stays_apart(count):
    machine = step(Machine()).run(times=10).mark(FSYNC).run(SFENCE, times=4).mark(CLASS_END).run(times=2).mark(OUTSIDE)
    machine.mark(STEP).mark(CREATE).run(SFENCE).mark(UNLINK).run(SFENCE, times=2).mark(CLASS_END).mark(OUTSIDE)
    machine.mark(RESET).run(SFENCE, times=8).mark(OUTSIDE).mark(FSYNC).run(SFENCE, times=16).mark(CLASS_END).mark(DEFERRED).run(SFENCE, times=32).mark(OUTSIDE)
    found = count(machine)[0]
    assert {name: tally["counters"]["fences"] for name, tally in found.items()} == {"step": 0, "fsync": 4, "create": 1, "unlink": 2, "reset": 8, "deferred": 32}
    assert found["step"]["visits"] == 4, "begun twice, and gone on with behind each class"


def test_every_cell_has_counts_of_its_own(count):
    machine = step(Machine()).run(CLWB).mark(OUTSIDE).mark(CELL).mark(STEP).run(CLWB, times=2).mark(OUTSIDE)
    assert [cell["step"]["counters"]["clwb"] for cell in count(machine)] == [1, 2]


def test_a_watched_function_has_its_calls_instructions_and_bytes(count):
    begin, end = KERNEL + 0x2000, KERNEL + 0x2100
    machine = step(Machine())
    for _ in range(3):
        machine.run(at=begin).run(at=begin + 4, times=5).touch(0, at=KERNEL + 0x5000).run(RET, at=begin + 9).run(at=KERNEL, times=20)
    machine.run(at=begin).run(at=begin + 4).run("e9f0ff0000", at=begin + 8).run(at=KERNEL, times=20).mark(OUTSIDE)  # leaves by a jump
    tally = count(machine, symbols=[f"function {begin:x} {end:x} xlog_write"])[0]["step"]["functions"]["xlog_write"]
    assert tally["calls"] == 4 and tally["bytes_written"] == 24
    assert tally["instructions"] == 3 * 7 + 2, "from behind the entry to the return"
    assert count.whole["calls"] == {"xlog_write": 4}


def test_a_recursion_is_counted_once_from_the_outermost_entry(count):
    begin = KERNEL + 0x2000
    machine = step(Machine()).run(at=begin).run(at=begin).run(times=10).run(RET, at=begin + 9).run(RET, at=begin + 9).mark(OUTSIDE)
    tally = count(machine, symbols=[f"function {begin:x} {begin + 0x100:x} f"])[0]["step"]["functions"]["f"]
    assert (tally["calls"], tally["instructions"]) == (2, 13)


def events(path):
    """The recording, read by a reader of its own: (kind, offset, bytes)."""
    data, at, out = path.read_bytes(), 0, []
    while at < len(data):
        offset, size, kind = struct.unpack_from("<QII", data, at)
        held = size if kind < 2 else 0
        out.append(("store stream flush fence begin end locked".split()[kind], offset, data[at + 16:at + 16 + held]))
        at += 16 + (held + 7) // 8 * 8
    return out


def test_a_recording_holds_stores_with_their_bytes_flushes_fences_and_operations(count, tmp_path):
    content = bytes(range(256)) * (SIZE // 256)
    (tmp_path / "medium").write_bytes(content)
    machine = Machine().touch(0, "r").touch(8).mark(TRACE_BEGIN).mark(OP_BEGIN).touch(4096 + 16).touch(4096 + 72, code=MOVNTI, size=4)
    machine.run(SHOWN_FLUSH, at=KERNEL, access=f"r {DIRECT + LO + 4096 + 20:x} {HOST + LO + 4096 + 20:x} 1").run(SFENCE, at=KERNEL).mark(OP_END)
    machine.touch(0).touch(4096 + 8192, "r").mark(TRACE_END).touch(4096)
    count(machine, f"trace={tmp_path / 't'}", f"medium={tmp_path / 'medium'}", f"trace_lo={LO + 4096:#x}", f"trace_hi={LO + SIZE:#x}")
    assert events(tmp_path / "t.0.events") == [
        ("begin", 0, b""), ("store", 16, content[16:24]), ("stream", 72, content[72:76]), ("flush", 0, b""), ("fence", 0, b""), ("end", 0, b"")]
    assert (tmp_path / "t.0.base").read_bytes() == content[4096:]


def test_locked_instructions_are_recorded_where_they_could_order_something(count, tmp_path):
    (tmp_path / "medium").write_bytes(bytes(SIZE))
    machine = Machine().touch(0, "r").mark(TRACE_BEGIN).run(LOCKED, times=3).touch(8).run(LOCKED, times=3).run(SFENCE)
    machine.touch(16).run(SFENCE).run(LOCKED).mark(TRACE_END)
    count(machine, f"trace={tmp_path / 't'}", f"medium={tmp_path / 'medium'}", f"trace_lo={LO:#x}", f"trace_hi={LO + SIZE:#x}")
    assert [kind for kind, *_ in events(tmp_path / "t.0.events")] == ["store", "locked", "fence", "store", "fence"]


def test_without_a_trace_the_shown_flush_is_an_ordinary_load(count):
    machine = step(Machine()).run(SHOWN_FLUSH, at=KERNEL, access=f"r {DIRECT + LO:x} {HOST + LO:x} 1").mark(OUTSIDE)
    counters = count(machine)[0]["step"]["counters"]
    assert (counters["clwb"], counters["nvdimm_bytes_read"]) == (0, 1)
