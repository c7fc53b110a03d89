"""Loading: the version first, every line against the schema, and one clear line for what is wrong."""
import json
import random
import re

import pytest

import make_runs
from daxlab import InputError, schema
from daxlab.load import load


def small():
    maker = make_runs.Maker()
    maker.cell("native", "append", 950, repetitions=2, twins=True)
    maker.cell("null", "append", 22, repetitions=2)
    return maker


def lines_of(folder):
    return (folder / "results.jsonl").read_text().splitlines(keepends=True)


def test_every_kind_of_record_is_valid(folder):
    kinds = set()
    for line in lines_of(folder)[:-1]:
        record = json.loads(line)
        assert schema.violation(record) is None
        kinds.add((record["kind"], record["status"]))
    assert {("plain", "ok"), ("accounted", "ok"), ("traced", "ok"), ("plain", "failed"), ("traced", "skipped")} <= kinds
    maker = make_runs.Maker()
    maker.exact("ext4-dax", "append", {"block_bytes": "4KiB"}, {"clwb": 640, "instructions_kernel": 120_000})
    assert schema.violation(maker.records[0]) is None


def test_a_torn_last_line_is_left_out_with_a_note(folder):
    runs = load([folder])
    assert len(runs.records) == len(lines_of(folder)) - 1
    assert len(runs.notes) == 1 and "torn" in runs.notes[0]


@pytest.mark.parametrize("damage, expected", [
    (lambda ls: [ls[0][:40] + "\n", *ls[1:]], r"results\.jsonl:1: is not JSON"),
    (lambda ls: [ls[0].replace('"schema": 1', '"schema": 2'), *ls[1:]], r"results\.jsonl:1: has schema 2; this analysis reads schema 1"),
    (lambda ls: [ls[0], ls[1].replace('"threads": 1', '"threads": 0'), *ls[2:]], r"results\.jsonl:2: threads: is 0, below 1"),
    (lambda ls: [ls[0], ls[1].replace('"kind": "plain"', '"kind": "fast"'), *ls[2:]], r":2: kind: is 'fast', not one of plain"),
    (lambda ls: [re.sub(r'"fingerprint": "\w+", ', "", ls[0]), *ls[1:]], r":1: field 'fingerprint' is missing"),
    (lambda ls: [ls[0].replace('"seed": 42', '"seed": 42, "mood": 1'), *ls[1:]], r":1: field 'mood' is not in the schema"),
    (lambda ls: [ls[0].replace('"status": "ok"', '"status": "failed", "error": "x"'), *ls[1:]], r":1: \w+: must be absent here"),
    (lambda ls: [re.sub(r'"ns_per_op": [0-9.]+', '"ns_per_op": 0', ls[0]), *ls[1:]], r":1: ns_per_op: is 0, not above 0"),
    (lambda ls: [re.sub(r'"ns_per_op": [0-9.]+', '"ns_per_op": NaN', ls[0]), *ls[1:]], r":1: is not JSON"),
    (lambda ls: [re.sub(r'"histogram": "', '"histogram": "9:1:', ls[0]), *ls[1:]], r":1: latency_ns: histogram is not"),
    (lambda ls: [*ls, ls[-1]], r"cell \w+ \(plain, repetition 1\) is there twice"),
    (lambda ls: ["[]\n", *ls[1:]], r":1: is not a JSON object"),
    (lambda ls: [], r"holds no record"),
])
def test_a_damaged_file_is_named_with_its_line(tmp_path, damage, expected):
    folder = small().write(tmp_path / "run")
    (folder / "results.jsonl").write_text("".join(damage(lines_of(folder))))
    with pytest.raises(InputError) as error:
        load([folder])
    assert re.search(expected, str(error.value)) and "\n" not in str(error.value)


def test_any_flipped_byte_is_an_input_error_or_harmless(tmp_path):
    """200 seeded flips: the answer is records or one line, never a stack trace."""
    folder = small().write(tmp_path / "run")
    file = folder / "results.jsonl"
    good, rng, refused = file.read_bytes(), random.Random(3), 0
    for _ in range(200):
        at = rng.randrange(len(good))
        file.write_bytes(good[:at] + bytes([good[at] ^ (1 << rng.randrange(8))]) + good[at + 1:])
        try:
            load([folder])
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 50


def test_a_torn_line_in_the_middle_is_no_torn_tail(tmp_path):
    folder = small().write(tmp_path / "run")
    lines = lines_of(folder)
    (folder / "results.jsonl").write_text(lines[0] + lines[1][:50] + "\n" + lines[2])
    with pytest.raises(InputError, match=r":2: is not JSON"):
        load([folder])


@pytest.mark.parametrize("name, text, expected", [
    ("environment.json", None, "environment.json: no such file"), ("environment.json", "{", "environment.json: is not JSON"),
    ("environment.json", "[]", "environment.json: is not a JSON object"), ("results.jsonl", None, "results.jsonl: no such file")])
def test_a_missing_or_broken_file_of_the_folder_is_named(tmp_path, name, text, expected):
    folder = small().write(tmp_path / "run")
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=expected):
        load([folder])


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match="is not a run folder"):
        load([tmp_path / "absent"])


def test_numbers_come_from_plain_records_that_were_not_proven_wrong(loaded):
    maker = small()
    maker.records[0]["verified"] = False
    runs = loaded(maker)
    assert set(runs.plain["kind"]) == {"plain"} and len(runs.plain) == 3


def test_series_name_options_that_are_not_the_usual_ones(runs):
    assert {"native", "native@a", "native@b", "native:policy=exclusive", "null", "posix"} <= set(runs.frame["series"])


def test_posix_always_crosses_into_the_kernel(runs):
    assert set(runs.frame[runs.frame["engine"] == "posix"]["crossing"]) == {"syscall"}


def test_the_same_cell_of_two_folders_stays_apart(tmp_path):
    runs = load([small().write(tmp_path / "one"), small().write(tmp_path / "two")])
    assert {"native [one]", "native [two]"} <= set(runs.frame["series"])


def test_the_schema_names_every_counter_and_phase_of_the_program():
    definition = (schema.PATH.parents[1] / "engines/base/counters.def").read_text()
    names = set(re.findall(r"DAXLAB_COUNTER\((\w+),", definition))
    assert names and names <= schema.descriptions("counters").keys()
    phases = re.search(r"enum class Phase[^{]*{([^}]*)}", (schema.PATH.parents[1] / "engines/base/account.h").read_text())
    words = {re.sub(r"(?<!^)(?=[A-Z])", "_", w.strip()[1:]).lower() for w in phases[1].split(",")} - {"count"}
    assert words | {"residual"} == schema.descriptions("explain").keys()
