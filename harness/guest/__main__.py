"""python3 -m guest setup|run|self-test|seeded: started by `daxlab exact`, which checks what people type."""
from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from . import LabError, MissingFacility, crash, lab, say, seeded

DONE, FAILED, MISSING, INTERRUPTED = 0, 1, 3, 130


def _interrupt(*_: object) -> None:
    """The first signal ends what runs; what comes after it must not cut the clearing up short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _ensure(arguments: argparse.Namespace, traced: bool = False) -> lab.Lab:
    return lab.ensure(arguments.source / "build/guest", arguments.source, arguments.program, lab.Variant(arguments.kernel, traced))


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    parser = argparse.ArgumentParser(prog="guest")
    parser.add_argument("command", choices=["setup", "run", "self-test", "seeded"])
    parser.add_argument("--source", type=Path, required=True, help="folder of the sources; the guest lives in its build/guest")
    parser.add_argument("--program", type=Path, required=True, help="the daxlab program that runs in the guest")
    parser.add_argument("--plan", type=Path, help="what to run, JSON")
    parser.add_argument("--accept", action="store_true", help="of a self-test: what it counts is accepted from now on")
    parser.add_argument("--kernel", choices=["stable", "backports"], default="stable", help="the guest's")
    parser.add_argument("--out", type=Path, help="folder of the run; of `seeded` a file")
    arguments = parser.parse_args()
    try:
        began = time.monotonic()
        made = _ensure(arguments)
        ready = time.monotonic()
        if arguments.command == "setup":
            say(f"guest: ready, {made.kernel.package} ({ready - began:.1f} s)")
            return DONE
        plan = json.loads(arguments.plan.read_text())
        if arguments.command == "self-test":
            differences = lab.self_test(made, plan, arguments.program, arguments.accept)
            print("\n".join(differences) if differences else "two runs, the same counters to the bit, and these as accepted")
            return FAILED if differences else DONE
        if arguments.command == "seeded":
            differences = seeded.run(made, plan, arguments.source, arguments.source / "build/guest", arguments.out)
            print("\n".join(differences) if differences else "every change moved exactly the counters that were predicted")
            return FAILED if differences else DONE
        crashed = None
        if "crash" in plan:
            traced = _ensure(arguments, traced=True)
            crashed = crash.run(traced, made, plan["crash"], arguments.program, arguments.out / "guest" / "crash")
        failures = lab.run_plan(made, plan, arguments.program, arguments.out, crashed)
        failures += sum(found["wrong"] for found in crashed or [])
        say(f"exact: done in {time.monotonic() - ready:.1f} s")
        return FAILED if failures else DONE
    except KeyboardInterrupt:
        say("exact: interrupted; nothing was recorded")
        return INTERRUPTED
    except MissingFacility as error:
        say(f"exact: {error}")
        return MISSING
    except LabError as error:
        say(f"exact: {error}")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
