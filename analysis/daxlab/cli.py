"""The commands report, compare and list; the program `daxlab` hands them over.

    python3 -m daxlab.cli report DIR... [--out FILE]
    python3 -m daxlab.cli compare A B
    python3 -m daxlab.cli list figures|questions [--json]
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from types import ModuleType

from . import InputError

DONE, WRONG_INPUT, MISSING_FACILITY = 0, 2, 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):  # one line, no usage text before it
        raise InputError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    name = os.environ.get("DAXLAB_PROGRAM", "daxlab")
    parser = _Parser(prog=name, description="What is made of results.jsonl.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    examples = argparse.RawDescriptionHelpFormatter
    report = commands.add_parser("report", formatter_class=examples, help="figures and one page with the verdicts",
                                 description="Draws all figures (SVG and PNG) and writes one self-contained HTML page.",
                                 epilog=f"examples:\n  {name} report results/quick\n  {name} report results/a results/b --out both.html\n\n"
                                        "exit: 0 done, 2 wrong input, 3 a needed package is missing")
    report.add_argument("dirs", nargs="+", metavar="DIR", help="run folders (with results.jsonl and environment.json)")
    report.add_argument("--out", metavar="FILE", help="the page; figures go into figures/ beside it (default: DIR/report.html of the first)")
    compare = commands.add_parser("compare", formatter_class=examples, help="cell by cell: better, worse, same or ambiguous",
                                  description="Every cell of B against the same cell of A: verdict and ratio of time per operation, B over A, "
                                              "with its 95 %% interval. On exact runs every difference is listed.",
                                  epilog=f"examples:\n  {name} compare results/before results/after\n"
                                         f"  {name} compare results/reference/quick results/mine\n\n"
                                         "exit: 0 none worse, 1 one or more worse, 2 wrong input, 4 none worse but some ambiguous")
    compare.add_argument("a", metavar="A", help="the run that is compared with")
    compare.add_argument("b", metavar="B", help="the run that is judged")
    listing = commands.add_parser("list", formatter_class=examples, help="figures or questions, one line each",
                                  description="What there is, one line each.",
                                  epilog=f"examples:\n  {name} list figures\n  {name} list questions --json")
    listing.add_argument("what", choices=["figures", "questions"])
    listing.add_argument("--json", action="store_true", help="as a JSON array")
    return parser


def _list(what: str, as_json: bool) -> int:
    from . import figures, questions
    package: ModuleType = figures if what == "figures" else questions
    rows = []
    for module in package.modules():
        row = {"name": package.name(module), "question": module.QUESTION}
        if hasattr(module, "NEEDS"):
            row["needs"] = module.NEEDS
        rows.append(row)
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        width = max(len(r["name"]) for r in rows)
        print("\n".join(f"{r['name']:<{width}}  {r['question']}" for r in rows))
    return DONE


def _report(dirs: list[str], out: str | None) -> int:
    from . import report
    from .load import load
    runs = load(dirs)  # type: ignore[arg-type]
    for note in runs.notes:
        print(f"daxlab: {note}", file=sys.stderr)
    target = Path(out) if out else Path(dirs[0]) / "report.html"
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder for the report")
    try:
        report.write(runs, target, lambda line: print(f"daxlab: {line}", file=sys.stderr))
    except OSError as error:
        raise InputError(f"{error.filename or target}: cannot write the report: {(error.strerror or str(error)).lower()}") from None
    print(target)
    return DONE


def _compare(a: str, b: str) -> int:
    from . import compare
    from .load import load
    text, code = compare.text(load([a]), load([b]))
    print(text)
    return code


def main(arguments: list[str] | None = None) -> int:
    try:
        args = _parser().parse_args(arguments)
        if args.command == "report":
            return _report(args.dirs, args.out)
        if args.command == "compare":
            return _compare(args.a, args.b)
        return _list(args.what, args.json)
    except InputError as error:
        print(f"daxlab: {error}", file=sys.stderr)
        return WRONG_INPUT
    except ModuleNotFoundError as error:
        print(f"daxlab: the Python package {error.name} is missing: apt-get install python3-{error.name}", file=sys.stderr)
        return MISSING_FACILITY
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


if __name__ == "__main__":
    sys.exit(main())
