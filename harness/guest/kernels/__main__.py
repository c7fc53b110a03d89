"""python3 -m guest.kernels vmap: measures in the guest with modules of our own (vmap.py says what)."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .. import LabError, MissingFacility, lab, say
from . import vmap

# Of each part the scripts, every one run in a guest of its own.
PARTS = {"costs": lambda: [vmap.cost_lines()], "sequence": lambda: [vmap.sequence_lines()], "log": vmap.log_scripts}


def main() -> int:
    parser = argparse.ArgumentParser(prog="guest.kernels")
    parser.add_argument("subject", choices=["vmap"])
    parser.add_argument("--source", type=Path, required=True, help="folder of the sources; the guest lives in its build/guest")
    parser.add_argument("--program", type=Path, required=True, help="the daxlab program: its libraries are in the guest's image")
    parser.add_argument("--part", choices=PARTS, action="append", help="all by default")
    parser.add_argument("--out", type=Path, help="a file for every count, JSON")
    arguments = parser.parse_args()
    state = arguments.source.resolve() / "build/guest"
    try:
        made = lab.ensure(state, arguments.source.resolve(), arguments.program)
        parts = {}
        for part in arguments.part or PARTS:
            parts[part] = []
            for script in PARTS[part]():
                lines = vmap.run(made, state, arguments.source.resolve(), script)
                vmap.tell(lines)
                parts[part] += lines
        if arguments.out:
            arguments.out.write_text(json.dumps({"kernel": made.kernel.package, "parts": parts}, indent=1) + "\n")
        return 0
    except MissingFacility as error:
        say(f"vmap: {error}")
        return 3
    except LabError as error:
        say(f"vmap: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
