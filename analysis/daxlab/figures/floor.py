"""The A/A pairs: how far apart a run puts two equal things."""
from __future__ import annotations

from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs
from ..stats import MARGIN

QUESTION = "How far apart does this run put one design measured twice?"
ORDER = 15


def _pairs(runs: Runs):
    found = tables.floor(runs)
    if not found.measured:
        raise tables.NotInRun("needs an A/A pair: two cells that differ in their label alone, as native@a and native@b")
    return found.pairs


def draw(runs: Runs) -> Figure:
    pairs = _pairs(runs).reset_index(drop=True)
    fig, (axis,) = style.grid(1, width=6.4, height=0.34 * len(pairs) + 0.8)
    axis.axvspan(100 * (1 / (1 + MARGIN) - 1), 100 * MARGIN, color="#E8F1E8", zorder=0)
    axis.axvline(0, color="#888888", linewidth=0.8)
    for row, pair in pairs.iterrows():
        found = pair["ratio"]
        colour = style.look(pair["a"])[0]
        mid = 100 * (found.value - 1)
        axis.errorbar(mid, row, xerr=[[mid - 100 * (found.low - 1)], [100 * (found.high - 1) - mid]], fmt=style.look(pair["a"])[1],
                      color=colour, capsize=2.5)
        axis.annotate(found.verdict, (100 * (found.high - 1), row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5)
    axis.set_yticks(range(len(pairs)), [f"{p['a']} / {p['b'].split('@')[-1]}, {p['workload']}, {p['threads']} thr." for _, p in
                                        pairs.iterrows()])
    axis.set_ylim(len(pairs) - 0.5, -0.5)
    widest = max(3.0, *(100 * max(abs(p.low - 1), abs(p.high - 1)) for p in pairs["ratio"]))
    axis.set(xlabel="second half against first half, time per operation (%)", xlim=(-widest * 1.25, widest * 1.4))
    style.title(fig, "A/A pairs", runs, "the same engine under two labels, 95 % interval; green: the margin of ±2 % that counts as the same")
    return fig


def says(runs: Runs) -> str:
    pairs = _pairs(runs)
    worst = pairs.loc[pairs["distance"].idxmax()]
    wrong = sum(r.verdict in ("better", "worse") for r in pairs["ratio"])
    return (f"The halves of the {len(pairs)} pair{'s' * (len(pairs) != 1)} differ by at most {100 * worst['distance']:.1f} % ({worst['workload']}); "
            f"{wrong} of them would be called a difference.")
