"""The commands as people type them: output, files and exit codes."""
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import make_runs
from daxlab import cli, evidence

ANALYSIS = Path(__file__).resolve().parents[1]


def run(capsys, *arguments):
    code = cli.main([str(a) for a in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def one_cell(tmp_path, name, ns, sigma=0.002, extra=None, media=make_runs.MEDIA):
    maker = make_runs.Maker(seed=int(ns), sigma=sigma)
    maker.cell("native", "append", ns, media=media)
    maker.cell("null", "append", 22, media=media)
    if extra:
        extra(maker)
    return maker.write(tmp_path / name)


# --- report

@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "report.html"
    assert cli.main(["report", str(folder), "--out", str(out)]) == 0
    return out


class Watcher(HTMLParser):
    """Collects what a browser would fetch, and checks that what opens is closed."""

    VOID = {"meta", "link", "img", "br", "hr", "input"}

    def __init__(self):
        super().__init__()
        self.fetched, self.open, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "xlink:href", "data") or (k == "href" and tag != "a")]
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_self_contained_and_well_formed(page):
    watcher = Watcher()
    text = page.read_text()
    watcher.feed(text)
    assert not watcher.open
    assert all(v.startswith(("#", "data:")) for v in watcher.fetched)
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    ids = set(watcher.ids)
    assert len(ids) == len(watcher.ids) and all(v[1:] in ids for v in watcher.fetched if v.startswith("#"))


def test_the_page_says_what_a_reader_must_know(page):
    text = page.read_text()
    assert evidence.sha256() in text and text.count("not measured yet") == 5
    for word in ("Media class: emulated", "Invented CPU 9000", "daxlab run --seed 42", "0123456789abcdef", "child died of signal 9", "needs hugetlbfs",
                 "EPERM: needs CAP_PERFMON", "no BPF trampoline", "native@a, native@b", "medium: stream 4k fence", "+4.4 %", "EPERM: needs CAP_BPF", "is torn", "not like for like", "Tukey"):
        assert word in text, word


def test_each_figure_follows_its_question_and_precedes_its_sentence(page):
    text = page.read_text()
    found = re.findall(r'<figure>\s*<p class="question">([^<]+\?)</p>\s*<div class="paper"[^>]*>\s*<(svg|img).*?<figcaption>([^<]+\.)\s*<small>', text, re.S)
    assert len(found) == text.count("<figure>") >= 11


def test_figures_are_written_as_svg_and_png(page):
    folder = page.parent / "figures"
    names = {p.stem for p in folder.glob("*.svg")}
    assert names == {p.stem for p in folder.glob("*.png")} and len(names) >= 11
    assert all("emulated" in n for n in names)
    assert (folder / f"{sorted(names)[0]}.png").read_bytes().startswith(b"\x89PNG")


def test_media_stand_apart_in_one_report(tmp_path, capsys):
    folder = one_cell(tmp_path, "two", 900, extra=lambda m: m.cell("native", "append", 1900, media=make_runs.MEDIA | {"profile": "optane-100"}))
    assert run(capsys, "report", folder)[0] == 0
    text = (folder / "report.html").read_text()
    assert "<h3>emulated dram, profile dram</h3>" in text and "<h3>emulated dram, profile optane-100</h3>" in text


def test_a_run_without_a_single_number_still_gets_its_report(tmp_path, capsys):
    maker = make_runs.Maker()
    maker.broken("failed", "child died of signal 11 (Segmentation fault)")
    folder = maker.write(tmp_path / "dead")
    assert run(capsys, "report", folder)[0] == 0
    assert "Segmentation fault" in (folder / "report.html").read_text()


def test_a_build_that_is_no_release_carries_a_banner(tmp_path, capsys):
    folder = one_cell(tmp_path, "dev", 900)
    assert run(capsys, "report", folder)[0] == 0 and "not release" not in (folder / "report.html").read_text()
    environment = json.loads((folder / "environment.json").read_text())
    environment["build"]["preset"] = "asan"
    (folder / "environment.json").write_text(json.dumps(environment))
    assert run(capsys, "report", folder)[0] == 0 and "Build: asan, not release" in (folder / "report.html").read_text()


def test_a_section_is_found_by_its_file_alone(runs, monkeypatch):
    import types
    from daxlab import report, sections
    extra = types.ModuleType("daxlab.sections.kernel_distance")
    extra.TITLE, extra.ORDER, extra.body = "How far from the kernel", 55, lambda r: f"<p>{len(r.runs.records)} records</p>"
    found = [*sections.modules(), extra]
    monkeypatch.setattr(sections, "modules", lambda: found)
    assert f"<p>{len(runs.records)} records</p>" in report.render(runs, [])


# --- compare

@pytest.mark.parametrize("before, after, sigma, code, word", [
    (1000, 1001, 0.001, 0, "same"), (1000, 800, 0.002, 0, "better"), (1000, 1300, 0.002, 1, "worse"), (1000, 1010, 0.05, 4, "ambiguous")])
def test_compare_speaks_by_word_and_exit_code(tmp_path, capsys, before, after, sigma, code, word):
    a, b = one_cell(tmp_path, "a", before, sigma), one_cell(tmp_path, "b", after, sigma)
    found, out, _ = run(capsys, "compare", a, b)
    assert found == code and re.search(rf"^{word}\s+native, append.*\d\.\d+ \[", out, re.M)


def test_a_cell_that_lost_its_number_is_worse(tmp_path, capsys):
    a, b = one_cell(tmp_path, "a", 1000), one_cell(tmp_path, "b", 1000)
    lines = [json.loads(line) for line in (b / "results.jsonl").read_text().splitlines()]
    broken = {k: v for k, v in lines[0].items() if k not in ("ops", "seconds", "ops_per_s", "ns_per_op", "bytes_per_s", "latency_ns",
                                                             "counters", "verified")} | {"status": "failed", "error": "wrong data at 4096"}
    (b / "results.jsonl").write_text("\n".join(json.dumps(r) for r in [broken, *lines[5:]]) + "\n")
    code, out, _ = run(capsys, "compare", a, b)
    assert code == 1 and "no number in B: wrong data at 4096" in out


def test_media_classes_are_never_compared_without_a_banner(tmp_path, capsys):
    a, b = one_cell(tmp_path, "a", 1000), one_cell(tmp_path, "b", 1000)
    text = (b / "results.jsonl").read_text().replace('"class": "emulated"', '"class": "real"')
    (b / "results.jsonl").write_text(text)
    assert run(capsys, "compare", a, b)[1].startswith("! MEDIA CLASSES DIFFER: A is emulated, B is real")


def test_exact_runs_list_every_difference_with_no_threshold(tmp_path, capsys):
    folders = []
    for name, clwb in (("a", 640_000), ("b", 640_001), ("c", 640_000)):
        maker = make_runs.Maker()
        maker.exact("native", "append", {"block_bytes": "4KiB"}, {"clwb": clwb, "locked": 12})
        folders.append(maker.write(tmp_path / name))
    code, out, _ = run(capsys, "compare", folders[0], folders[1])
    assert code == 1 and "1 counters differ" in out and re.search(r"worse\s+native, append, clwb\s+640 -> 640.001", out)
    assert run(capsys, "compare", folders[1], folders[0])[0] == 0
    code, out, _ = run(capsys, "compare", folders[0], folders[2])
    assert code == 0 and "0 counters differ" in out


def test_runs_without_a_common_cell_cannot_be_compared(tmp_path, capsys):
    other = make_runs.Maker()
    other.cell("native", "read", 400)
    code, _, err = run(capsys, "compare", one_cell(tmp_path, "a", 1000), other.write(tmp_path / "b"))
    assert code == 2 and "no cell in common" in err and err.count("\n") == 1


# --- list and wrong input

@pytest.mark.parametrize("what, name", [("figures", "throughput"), ("questions", "c5")])
def test_list_gives_a_line_or_an_object_each(capsys, what, name):
    code, out, _ = run(capsys, "list", what)
    assert code == 0 and re.search(rf"^{name} +\S", out, re.M)
    rows = json.loads(run(capsys, "list", what, "--json")[1])
    assert name in [r["name"] for r in rows] and all(r["question"] for r in rows)


@pytest.mark.parametrize("arguments", [
    ["report"], ["report", "/nowhere"], ["compare", "/nowhere"], ["compare", "/nowhere", "/nowhere"], ["list", "engines"], ["draw"], [],
    ["report", "/nowhere", "--out"]])
def test_wrong_input_is_one_line_and_exit_code_2(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == "" and err.startswith("daxlab: ") and err.count("\n") == 1


def test_a_report_that_cannot_be_written_is_one_line(folder, capsys):
    code, _, err = run(capsys, "report", folder, "--out", "/nowhere/at/all.html")
    assert code == 2 and err.splitlines()[-1].endswith("no such folder for the report")


@pytest.mark.parametrize("command", ["report", "compare", "list"])
def test_help_shows_two_examples(capsys, command):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0 and capsys.readouterr().out.count(f"daxlab {command} ") >= 2


def test_the_module_runs_by_itself(folder):
    done = subprocess.run([sys.executable, "-m", "daxlab.cli", "list", "questions"], cwd=ANALYSIS, capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5
