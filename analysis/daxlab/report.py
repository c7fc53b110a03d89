"""`daxlab report DIR...`: figures as SVG and PNG, and one self-contained page with the verdicts. Nothing in it asks a network."""
from __future__ import annotations

import base64
import io
import multiprocessing
import os
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import jinja2
import markupsafe

from . import evidence, figures, questions, sections, style, tables
from .load import Runs, fact

SVG_LIMIT_BYTES = 700_000   # a larger figure goes into the page as PNG, which a phone can still scroll


@dataclass(frozen=True)
class Drawn:
    """One figure on one medium: drawn, or the reason why not."""

    name: str
    question: str
    media: str
    svg: str = ""
    png: bytes = b""
    says: str = ""
    missing: str = ""      # cells that it would need
    broken: str = ""       # a fault of the figure itself: said in the report, and the rest goes on

    @property
    def inline(self) -> markupsafe.Markup:
        if len(self.svg) <= SVG_LIMIT_BYTES:
            return markupsafe.Markup(self.svg)
        return markupsafe.Markup(f'<img alt="{markupsafe.escape(self.says)}" src="data:image/png;base64,{base64.b64encode(self.png).decode()}">')

    @property
    def file_name(self) -> str:
        return f"{self.name}--{re.sub(r'[^a-z0-9]+', '-', self.media.lower()).strip('-')}"


def _slim(svg: str, prefix: str) -> str:
    """Without prolog, with two decimals in paths, and with ids of its own, so that figures can share a page."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\d\.\d\d)\d+", r"\1", m[0]), svg)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", svg)
    return re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", svg, 1), 1)


_RUNS: Runs | None = None   # inherited by the drawing processes


def _draw(task: tuple[int, str, str]) -> Drawn:
    number, name, media = task
    assert _RUNS is not None
    module = next(m for m in figures.modules() if figures.name(m) == name)
    runs = _RUNS.on(media)
    try:
        figure = module.draw(runs)
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=140)
        figure.set_layout_engine("none")  # laid out now; a second time costs as much and changes nothing
        figure.savefig(svg, format="svg", metadata={"Date": None})
        style.plt.close(figure)
        says = module.says(runs) if hasattr(module, "says") else ""
        return Drawn(name, module.QUESTION, media, _slim(svg.getvalue(), f"f{number}"), png.getvalue(), says)
    except tables.NotInRun as reason:
        return Drawn(name, module.QUESTION, media, missing=str(reason))
    except tables.Mixed as reason:
        return Drawn(name, module.QUESTION, media, broken=f"refused: {reason}")
    except Exception:  # a figure's own fault must not cost the report
        return Drawn(name, module.QUESTION, media, broken=traceback.format_exc(limit=-2).strip().splitlines()[-1])


def draw_all(runs: Runs) -> list[Drawn]:
    global _RUNS
    _RUNS = runs
    tasks = [(i, figures.name(m), media) for i, (media, m) in enumerate((media, m) for media in runs.media for m in figures.modules())]
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers > 1:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            return pool.map(_draw, tasks, chunksize=1)
    return [_draw(task) for task in tasks]


@dataclass(frozen=True)
class Report:
    """What sections may use: the runs, the figures, the answers, and templates."""

    runs: Runs
    drawn: list[Drawn]
    environment: jinja2.Environment = field(repr=False)

    @cached_property
    def answers(self) -> list[evidence.Answer]:
        return [module.answer(self.runs) for module in questions.modules()]

    def template(self, name: str, **values: object) -> markupsafe.Markup:
        return markupsafe.Markup(self.environment.get_template(name).render(**values))


def _environment() -> jinja2.Environment:
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True,
                             lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    env.filters["ns"] = style.time_text
    env.filters["short"] = style.number
    return env


def render(runs: Runs, drawn: list[Drawn]) -> str:
    env = _environment()
    report = Report(runs, drawn, env)
    parts = []
    for module in sections.modules():
        body = module.body(report)
        if body:
            parts.append({"id": module.__name__.rsplit(".", 1)[1], "title": module.TITLE, "body": markupsafe.Markup(body)})
    names = sorted({r["run"] for r in runs.records})
    builds = sorted({str(fact(e, "build.preset")) for e in runs.environments} - {"release"})
    return env.get_template("page.html").render(builds=builds, name=", ".join(names), sections=parts, media=runs.media,
                                                classes=sorted({r["media"]["class"] for r in runs.records}))


def write(runs: Runs, out: Path, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Writes the page to `out` and the figures beside it, into figures/."""
    drawn = draw_all(runs)
    folder = out.parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for one in drawn:
        if one.svg:
            (folder / f"{one.file_name}.svg").write_text('<?xml version="1.0" encoding="utf-8"?>\n' + one.svg)
            (folder / f"{one.file_name}.png").write_bytes(one.png)
        elif one.broken:
            tell(f"figure {one.name} on {one.media}: {one.broken}")
    temporary = out.with_name(out.name + ".new")
    temporary.write_text(render(runs, drawn))
    temporary.replace(out)
    return out
