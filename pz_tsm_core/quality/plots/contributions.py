"""What became of the measurements of each survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pz_tsm_core.quality.plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    canvas,
    legend_columns,
    ranked,
    shortened,
)

#: Fates in the order in which a bar shows them, each with a colour and a pattern of its own.
_LOOKS = {
    "in the result": (BLUE, ""),
    "without an object": (SKY_BLUE, ".."),
    "another was better": (GREEN, "///"),
    "low quality": (ORANGE, "\\\\\\"),
    "excluded class": (PURPLE, "xx"),
}
FATES = tuple(_LOOKS)


def contributions(fates: Mapping[str, Mapping[str, int]]) -> Figure:
    """A bar a survey, divided by what became of its measurements, most measurements first.

    Parameters
    ----------
    fates : by survey, how many measurements met each of `FATES`
    """
    shown, folded = ranked({name: sum(counts.values()) for name, counts in fates.items()})
    rows = [fates[name] for name in shown]
    if folded:
        rows.append({fate: sum(fates[name].get(fate, 0) for name in folded) for fate in FATES})
    names = [*map(shortened, shown), *([f"{len(folded)} others"] if folded else [])]
    figure = canvas(0.85 + 0.24 * max(1, len(rows)))
    axis = figure.subplots()
    totals = np.array([max(1, sum(row.values())) for row in rows])
    start = np.zeros(len(rows))
    used = [fate for fate in FATES if any(row.get(fate) for row in rows)]
    for fate in used:
        colour, hatch = _LOOKS[fate]
        share = 100 * np.array([row.get(fate, 0) for row in rows]) / totals
        axis.barh(range(len(rows)), share, left=start, height=0.72, label=fate, color=colour,
                  hatch=hatch, edgecolor="#ffffff", linewidth=0.4)
        start += share
    _dress(figure, names, used)
    return figure


def _dress(figure: Figure, names: Sequence[str], used: Sequence[str]) -> None:
    axis = figure.axes[0]
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("per cent of the survey's measurements", color=INK)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    if used:
        figure.legend(loc="outside upper center", ncols=legend_columns(used))
