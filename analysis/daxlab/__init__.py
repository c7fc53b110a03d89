"""Everything after results.jsonl: load, statistics, verdicts, figures and the report."""


class InputError(Exception):
    """Wrong input: its text is the one line that the user sees; the exit code is 2."""
