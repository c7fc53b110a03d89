"""python3 -m guest setup|run|self-test: started by `daxlab exact`, which checks what people type."""
from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from . import LabError, MissingFacility, lab, say

DONE, FAILED, MISSING, INTERRUPTED = 0, 1, 3, 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="guest")
    parser.add_argument("command", choices=["setup", "run", "self-test"])
    parser.add_argument("--source", type=Path, required=True, help="folder of the sources; the guest lives in its build/guest")
    parser.add_argument("--program", type=Path, required=True, help="the daxlab program that runs in the guest")
    parser.add_argument("--plan", type=Path, help="what to run, JSON")
    parser.add_argument("--accept", action="store_true", help="of a self-test: what it counts is accepted from now on")
    parser.add_argument("--out", type=Path, help="folder of the run")
    arguments = parser.parse_args()
    try:
        began = time.monotonic()
        made = lab.ensure(arguments.source / "build/guest", arguments.source, arguments.program)
        ready = time.monotonic()
        if arguments.command == "setup":
            say(f"guest: ready, {made.kernel.package} ({ready - began:.1f} s)")
            return DONE
        plan = json.loads(arguments.plan.read_text())
        if arguments.command == "self-test":
            differences = lab.self_test(made, plan, arguments.program, arguments.accept)
            print("\n".join(differences) if differences else "two runs, the same counters to the bit, and these as accepted")
            return FAILED if differences else DONE
        failures = lab.run_plan(made, plan, arguments.program, arguments.out)
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
