"""One look for every figure: a colour and a marker for each engine from one table, readable in print and by the colour-blind.

Colours: Okabe and Ito 2008, filled up from Tol's "muted" scheme; grey is kept for the harness (null).
"""
from __future__ import annotations

import colorsys
import math
import re
import textwrap
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.ticker import LogLocator, NullLocator  # noqa: E402

from .stats import Summary  # noqa: E402

# engine: (colour, marker); the order is the order in every figure
LOOK: dict[str, tuple[str, str]] = {
    "null": ("#9A9A9A", "|"),
    "native": ("#0072B2", "o"),
    "native-relaxed": ("#56B4E9", "^"),
    "xfs-today": ("#D55E00", "s"),
    "log-direct": ("#E69F00", "D"),
    "contig": ("#CC79A7", "v"),
    "retrofit": ("#009E73", "P"),
    "vmap": ("#882255", "X"),
    "posix": ("#3A3A3A", "*"),
    "ext4-dax": ("#999933", "<"),
    "xfs-dax": ("#AA4499", ">"),
}
_SPARE = [("#117733", "h"), ("#332288", "p"), ("#DDAA33", "8"), ("#44AA99", "d")]
RED = "#C1121F"
INK = "#222222"
FAINT = "#D8D8D8"
_TINTS = (1.0, 0.62, 0.40, 0.25)

plt.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 9, "axes.labelsize": 8.5, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "legend.fontsize": 8, "figure.titlesize": 10.5, "axes.titlelocation": "left", "axes.titleweight": "bold",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#666666", "axes.linewidth": 0.7,
    "xtick.color": "#444444", "ytick.color": "#444444", "axes.labelcolor": INK, "text.color": INK, "axes.grid": True,
    "grid.color": "#E4E4E4", "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.5, "lines.markersize": 5,
    "legend.frameon": False, "svg.hashsalt": "daxlab", "svg.fonttype": "path", "hatch.linewidth": 0.6, "figure.dpi": 110,
})


def engine_of(series: str) -> str:
    return re.split(r"[@: ]", series, maxsplit=1)[0]


def rank(series: str) -> tuple[int, str]:
    engine = engine_of(series)
    return (list(LOOK).index(engine) if engine in LOOK else len(LOOK), series)


def ordered(series: Any) -> list[str]:
    return sorted(set(series), key=rank)


def look(series: str) -> tuple[str, str]:
    engine = engine_of(series)
    return LOOK.get(engine) or _SPARE[zlib.crc32(engine.encode()) % len(_SPARE)]


def tint(colour: str, step: int) -> tuple[float, float, float]:
    """The colour mixed with white: step 0 is itself, 1 and up are lighter (thread counts, variants)."""
    share = _TINTS[min(step, len(_TINTS) - 1)]
    return tuple(1 - share * (1 - c) for c in to_rgb(colour))  # type: ignore[return-value]


def line_look(series: str, among: list[str]) -> dict[str, Any]:
    """Colour and marker of the engine; its variants in the same axes differ by dash and a hollow marker."""
    colour, marker = look(series)
    variants = [s for s in ordered(among) if engine_of(s) == engine_of(series)]
    step = variants.index(series) if series in variants else 0
    dash = ["-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1, 1, 1))][step % 4]
    if engine_of(series) == "null":
        dash = (0, (1, 1))
    face = colour if step == 0 else "white"
    return {"color": colour, "marker": marker, "linestyle": dash, "markerfacecolor": face, "markeredgecolor": colour}


def intervals(axis: Axes, x: Iterable[float], summaries: Sequence[Summary], **look: Any) -> None:
    """A line through the means, with the interval of each as a whisker."""
    axis.errorbar(list(x), [s.mean for s in summaries], yerr=[[s.mean - s.low for s in summaries], [s.high - s.mean for s in summaries]],
                  capsize=2, elinewidth=0.9, **look)


def dark(colour: str) -> tuple[float, float, float]:
    """The colour at a lightness that text can have on white."""
    h, light, s = colorsys.rgb_to_hls(*to_rgb(colour))
    return colorsys.hls_to_rgb(h, min(light, 0.36), s)


def grid(count: int, columns: int = 3, width: float = 3.35, height: float = 2.4, **options: Any) -> tuple[Figure, list[Axes]]:
    """Small multiples, row by row; the axes that are not needed are not there."""
    columns = min(columns, count)
    rows = -(-count // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(max(width * columns, 5.6), height * rows + 0.55), layout="constrained",
                             squeeze=False, **options)
    flat = list(axes.flat)
    for axis in flat[count:]:
        axis.remove()
    fig.get_layout_engine().set(w_pad=0.08, h_pad=0.06, wspace=0.02, hspace=0.03)
    return fig, flat[:count]


def title(fig: Figure, what: str, runs: Any, note: str = "") -> None:
    """What the figure shows, and under it always the medium; a guest or an emulation is never to be taken for hardware."""
    from .tables import one_medium
    bold = what.replace(" ", r"\ ")
    lines = [rf"$\bf{{{bold}}}$", *textwrap.wrap("medium: " + one_medium(runs) + (f" · {note}" if note else ""), int(fig.get_figwidth() * 14.2))]
    fig.suptitle("\n".join(lines), x=0.008, ha="left", fontsize=8.8, linespacing=1.3)


def label_bars_axis(axis: Axes, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), [name.replace(":", "\n", 1) for name in names])
    for tick, name in zip(axis.get_yticklabels(), names):
        tick.set_color(dark(look(name)[0]))
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.invert_yaxis()


def legend_below(fig: Figure, handles: list[Any], columns: int = 6) -> None:
    """One legend for all panels, in a band of its own under them."""
    columns = max(1, min(len(handles), columns, int(fig.get_figwidth() / 1.25)))
    band = (0.21 * -(-len(handles) // columns) + 0.1) / fig.get_figheight()
    fig.get_layout_engine().set(rect=(0, band, 1, 1 - band))
    fig.legend(handles=handles, loc="lower center", ncols=columns, bbox_to_anchor=(0.5, 0.0), borderaxespad=0.2)


def line_handles(among: Any) -> list[Any]:
    names = ordered(among)
    return [Line2D([], [], label=name, **line_look(name, names)) for name in names]


def spread_labels(axis: Axes, points: list[tuple[float, float, str, Any]], height_in: float, gap_points: float = 8.5) -> None:
    """Direct labels right of the line ends, moved apart where they would overlap. Points: x, y, text, colour. The layout is not
    known yet, so the height of the axes is given."""
    low, high = axis.get_ylim()
    log = axis.get_yscale() == "log"
    if log:
        low, high = math.log(low), math.log(high)
    at = [((math.log(y) if log else y) - low) / (high - low) * height_in * 72 for _, y, _, _ in points]
    order = sorted(range(len(points)), key=lambda i: at[i])
    clusters: list[list[int]] = []
    centre = lambda c: sum(at[i] for i in c) / len(c)  # noqa: E731
    for i in order:
        clusters.append([i])
        while len(clusters) > 1 and (centre(clusters[-1]) - centre(clusters[-2])
                                     < gap_points * (len(clusters[-1]) + len(clusters[-2])) / 2):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    for cluster in clusters:
        first = centre(cluster) - gap_points * (len(cluster) - 1) / 2
        for k, i in enumerate(cluster):
            x, y, text, colour = points[i]
            axis.annotate(text, (x, y), xytext=(6, first + k * gap_points - at[i]), textcoords="offset points", va="center", ha="left",
                          fontsize=7.5, color=dark(colour), annotation_clip=False)


def time_axis(axis: Any, low: float, high: float) -> None:
    """A logarithmic axis of times; within two decades the steps 2 and 5 are named too."""
    near = high / max(low, 1e-9) < 60
    axis.set_major_formatter(lambda v, _: time_text(v))
    if near:
        axis.set_minor_locator(LogLocator(subs=(2, 5), numticks=50))
        axis.set_minor_formatter(lambda v, _: time_text(v))
    else:
        axis.set_minor_locator(NullLocator())


def number(value: float) -> str:
    """Three significant digits with k, M, G."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def time_text(ns: float) -> str:
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"
