"""Crash images of real kernel file systems: recorded by the plugin, built on the host, judged in guests.

    1. record   a guest whose kernel shows where it flushes runs sequences of operations on a file system; the plugin writes every store
                between two marks, with its bytes, and what the NVDIMM held before (plugin/trace.h)
    2. images   on the host, from that: what a crash could have left (engines/pmem/crash_images.h)
    3. judge    guests mount one image after the other; the oracle of engines/crash says whether what is there may be there
A control judges images of the same recordings without their fences, as if the kernel had forgotten them: a laboratory that finds nothing
wrong with those finds nothing.

What orders is a fence: the most that a kernel can rely on everywhere. On x86 a locked instruction orders the flushes before it as well, and a
kernel executes many. Images of a sequence that were wrong are therefore built and judged once more with these as fences: what is wrong then
too can be lost on such a processor, and what is not is kept there by instructions that were not meant to keep it.
"""
from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import LabError, lab, machine, say

LABEL_BYTES = 2 << 20  # in front of the data of an fsdax namespace with its page structures in memory
CHECKERS = {"ext4": ["e2fsck", "-f", "-n"], "xfs": ["xfs_repair", "-n"]}
CHECK_SHARE = 8  # one image in so many is also given to the file system's own checker
CONTROL_SHARE = 10  # of the images, as many again without fences
IMAGES_PER_POINT = 64
FINDINGS_MAX = 50
MOUNT_POINT = "/mnt/p"
# Of the kernel's messages, those that no recovery should cause.
ALARMS = re.compile(r"\bBUG\b|WARNING:|Oops|[Cc]orruption|EXT4-fs error|Internal error|Metadata I/O [Ee]rror|Call Trace")


@dataclass
class Outcome:
    """What was found about one file system."""

    name: str
    sequences: int = 0
    operations: int = 0
    stores: int = 0
    flushes: int = 0
    fences: int = 0
    points: int = 0
    distinct: int = 0
    judged: int = 0
    checked: int = 0
    wrong: int = 0
    trees: set[str] = field(default_factory=set)
    findings: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    control_judged: int = 0
    control_wrong: int = 0
    locked_judged: int = 0
    locked_wrong: int = 0

    def told(self) -> dict[str, Any]:
        return vars(self) | {"trees": len(self.trees)}


def _job(system: dict[str, Any], size: int, lines: list[str]) -> str:
    return "\n".join([". /job.env", "export LD_BIND_NOW=1 DEVICE=/dev/pmem$MEDIUM", f"mkdir -p {MOUNT_POINT}",
                      "ndctl create-namespace -f -e namespace$MEDIUM.0 -m fsdax -M mem || exit 1", *lines, ""])


def _answer(answer: dict[str, bytes], name: str, what: str) -> dict[str, Any]:
    said = json.loads(answer[name]) if name in answer else {"error": "ended without an answer"}
    if said.get("status") != "ok":
        raise LabError(f"{what}: {said.get('error')}")
    return said


def record(made: lab.Lab, program: bytes, system: dict[str, Any], plan: dict[str, Any], work: Path) -> list[dict[str, Any]]:
    """Records every sequence of the plan; WORK/trace.N.base and WORK/trace.N.events."""
    size = plan["medium_bytes"]
    files = {"daxlab": program, "fill.json": json.dumps({"do": "fill", "device": "/dev/daxlab", "size_bytes": size}).encode()}
    lines = ["ln -s $DEVICE /dev/daxlab"]
    for number, sequence in enumerate(plan["sequences"]):
        files[f"{number}.json"] = json.dumps({"do": "record", "path": MOUNT_POINT} | sequence).encode()
        lines += ["/job/daxlab guest-crash --task /job/fill.json --out /out/fill.json", system["mkfs"],
                  f"mount -t {system['type']} -o {system['mount_options']} $DEVICE {MOUNT_POINT} || exit 1",
                  f"/job/daxlab guest-crash --task /job/{number}.json --out /out/{number}.json", f"umount {MOUNT_POINT}"]
    files["job.sh"] = _job(system, size, lines).encode()
    begin = machine.MEDIUM_ADDRESS + LABEL_BYTES
    traced = f"trace={machine.escaped(work / 'trace')},trace_lo={begin:#x},trace_hi={begin + size:#x},medium={machine.MEDIUM_PLACE}"
    answer = machine.run_job(made.guest, files, f"{lab.plugin_argument(made, work / 'counted.json')},{traced}")
    for name in ("log", "dmesg"):
        (work / f"record.{name}").write_bytes(answer.get(name, b""))
    return [_answer(answer, f"{n}.json", f"{system['name']}: recording sequence {n}") for n in range(len(plan["sequences"]))]


def images(program: Path, task: dict[str, Any], work: Path, name: str) -> dict[str, Any]:
    """On the host: a batch of images of one recording."""
    files = work / f"{name}.task", work / f"{name}.built"
    files[0].write_text(json.dumps({"do": "images", "images_per_point": IMAGES_PER_POINT, "out": str(work / f"{name}.batch")} | task))
    subprocess.run([str(program), "guest-crash", "--task", str(files[0]), "--out", str(files[1])], stderr=subprocess.PIPE, check=False)
    return _answer({"built": files[1].read_bytes()} if files[1].exists() else {}, "built", f"{name}: crash images")


def judge(made: lab.Lab, program: bytes, system: dict[str, Any], sequence: dict[str, Any], batch: Path, check_share: int) -> tuple[dict[str, Any], list[str]]:
    """In a guest: every image of a batch; what was found, and the kernel's alarms."""
    task = {"do": "judge", "batch": "/job/batch", "device": "/dev/daxlab", "type": system["type"], "mount_options": system["mount_options"],
            "mount_point": MOUNT_POINT, "check_share": check_share, "checker": [f"/bin/{CHECKERS[system['type']][0]}", *CHECKERS[system["type"]][1:],
                                                                               "/dev/daxlab"]} | sequence
    lines = ["ln -s $DEVICE /dev/daxlab", "/job/daxlab guest-crash --task /job/judge.json --out /out/judge.json"]
    files = {"daxlab": program, "judge.json": json.dumps(task).encode(), "batch": batch.read_bytes(), "job.sh": _job(system, 0, lines).encode()}
    answer = machine.run_job(made.guest, files)
    batch.with_suffix(".judged").write_bytes(answer.get("judge.json", b""))
    batch.with_suffix(".log").write_bytes(answer.get("log", b"") + answer.get("dmesg", b""))
    alarms = sorted({re.sub(r"^\[[ 0-9.]*\] ", "", line) for line in answer.get("dmesg", b"").decode(errors="replace").splitlines() if ALARMS.search(line)})
    return _answer(answer, "judge.json", f"{system['name']}: {batch.name}"), alarms


def run(traced: lab.Lab, plain: lab.Lab, plan: dict[str, Any], program: Path, folder: Path) -> list[dict[str, Any]]:
    """Every file system of the plan, its guests side by side; what was found of each."""
    folder.mkdir(parents=True, exist_ok=True)
    binary = lab.stripped(program, folder)
    systems, sequences = plan["file_systems"], plan["sequences"]
    outcomes = [Outcome(system["name"], sequences=len(sequences)) for system in systems]
    works = [folder / re.sub(r"[^A-Za-z0-9.-]+", "-", system["name"]) for system in systems]
    built: list[tuple[int, int, bool, Path]] = []  # file system, sequence, control, batch

    def task_of(number: int, at: int) -> dict[str, Any]:
        return {"trace": str(works[number] / f"trace.{at}"), "seed": plan["seed"], "limit": -(-plan["images"] // len(sequences))}

    def build(number: int) -> None:
        works[number].mkdir(exist_ok=True)
        recorded = record(traced, binary, systems[number], plan, works[number])
        outcome = outcomes[number]
        outcome.operations = sum(said["operations"] for said in recorded)
        for at in range(len(sequences)):
            task = task_of(number, at)
            said = images(program, task, works[number], f"{at}")
            outcome.stores += said["trace"]["stores"] + said["trace"]["streamed"]
            outcome.flushes += said["trace"]["flushes"]
            outcome.fences += said["trace"]["fences"]
            outcome.points += said["points"]
            outcome.distinct += said["distinct"]
            control = task | {"leave_out": "fences", "limit": -(-task["limit"] // CONTROL_SHARE)}
            images(program, control, works[number], f"{at}-control")
            built.extend((number, at, control, works[number] / f"{at}{'-control' if control else ''}.batch") for control in (False, True))
        say(f"exact: {outcome.name}: {outcome.stores} stores and {outcome.fences} fences recorded, {outcome.distinct} distinct crash images")

    def judge_one(place: int) -> None:
        number, at, control, batch = built[place]
        said, alarms = judge(plain, binary, systems[number], sequences[at], batch, 0 if control else CHECK_SHARE)
        outcome = outcomes[number]
        if control:
            outcome.control_judged += said["judged"]
            outcome.control_wrong += said["wrong"]
            return
        outcome.judged += said["judged"]
        outcome.checked += said["checked"]
        outcome.wrong += said["wrong"]
        outcome.trees |= set(said["trees"])
        outcome.findings += [finding | {"sequence": sequences[at]["ops"]} for finding in said["findings"]]
        outcome.alarms += [alarm for alarm in alarms if alarm not in outcome.alarms]
        say(f"exact: {outcome.name}: {said['judged']} crash images judged, {said['wrong']} wrong")
        if said["wrong"]:
            again, _ = judge_ordered_by_locked(number, at)
            outcome.locked_judged += again["judged"]
            outcome.locked_wrong += again["wrong"]
            say(f"exact: {outcome.name}: {again['judged']} of the same with locked instructions as fences, {again['wrong']} wrong")

    def judge_ordered_by_locked(number: int, at: int) -> tuple[dict[str, Any], list[str]]:
        images(program, task_of(number, at) | {"ordering": "locked"}, works[number], f"{at}-locked")
        return judge(plain, binary, systems[number], sequences[at], works[number] / f"{at}-locked.batch", 0)

    lab.in_parallel(build, len(systems))
    built.sort()
    lab.in_parallel(judge_one, len(built))
    for outcome in outcomes:
        del outcome.findings[FINDINGS_MAX:]
    return [outcome.told() for outcome in outcomes]
