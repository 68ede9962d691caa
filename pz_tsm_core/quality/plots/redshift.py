"""N(z): how many galaxies at which redshift, by survey and by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pz_tsm_core.quality.plots.style import (
    COLOURS,
    DASHES,
    GRID,
    INK,
    canvas,
    counted,
    ranked,
    shortened,
    thousands,
)
from pz_tsm_core.quality.plots.window import Window, window
from pz_tsm_core.quality.tally import Floats, Ints, Tally

#: Widths of bins, in those of the tally, among which a plot chooses; all divide 0.5.
WIDTHS = (2, 4, 10, 20, 50, 100)
BINS = 60

_COLUMNS = 3


def by_survey(redshifts: Tally) -> Figure:
    """One panel a survey on common logarithmic axes, before the shape of all of them together."""
    shown, folded = ranked({name: redshifts.rows(name) for name in redshifts.counts})
    view = window(redshifts.axis, redshifts.total, WIDTHS, BINS)
    panels = [(name, redshifts.counts[name]) for name in shown]
    if folded:
        panels.append((f"{len(folded)} others", _sum(redshifts.counts[name] for name in folded)))
    lines = max(1, -(-len(panels) // _COLUMNS))
    figure = canvas(0.55 + 1.15 * lines)
    axes = figure.subplots(lines, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    total = view.of(redshifts.total)
    for number, axis in enumerate(axes):
        if number < len(panels):
            name, counts = panels[number]
            _panel(axis, view, total, view.of(counts), COLOURS[number % len(COLOURS)])
            title = f"{shortened(name)}: {counts.sum():,}"
            axis.set_title(title, loc="left", pad=-7.5, size=7.5)
        else:
            axis.set_visible(False)
            axes[number - _COLUMNS].tick_params(labelbottom=True)
    beyond = int(redshifts.total.sum() - total.sum())
    figure.supxlabel(counted("redshift", beyond), size=8, color=INK)
    figure.supylabel(f"galaxies per {view.width:g}", size=8, color=INK)
    return figure


def _panel(axis: Axes, view: Window, total: Ints, counts: Ints, colour: str) -> None:
    base = 0.7  # below one galaxy, so that a bin with one shows
    axis.set_yscale("log")
    axis.set_ylim(base, max(10.0, total.max(initial=1) * 8))
    for values, fill in ((total, GRID), (counts, colour)):
        axis.stairs(_raised(values, base), view.edges, baseline=base, fill=True, color=fill)
    axis.set_xlim(view.edges[0], view.edges[-1])
    thousands(axis)
    axis.minorticks_off()


def _raised(counts: Ints, base: float) -> Floats:
    """Counts that a logarithmic axis can show: none is the base line."""
    return np.maximum(counts, base).astype(np.float64)


def _sum(counts: Iterable[Ints]) -> Ints:
    return np.asarray(sum(counts), dtype=np.int64)


def by_part(redshifts: Tally, parts: Sequence[str]) -> Figure:
    """The shape of N(z) of every part; equal shapes are what a random split gives.

    Parameters
    ----------
    parts : in the order of the recipe
    """
    view = window(redshifts.axis, redshifts.total, WIDTHS, BINS)
    figure = canvas(2.5)
    axis = figure.subplots()
    for number, part in enumerate(parts):
        counts = redshifts.counts.get(part, np.zeros_like(redshifts.total))
        share = 100 * view.of(counts) / max(1, counts.sum())
        axis.stairs(
            share, view.edges, label=f"{shortened(part)}: {counts.sum():,}", linewidth=1.4,
            color=COLOURS[number % len(COLOURS)], linestyle=DASHES[number % len(DASHES)],
        )
    axis.set_xlim(view.edges[0], view.edges[-1])
    axis.set_ylim(0, None)
    total = redshifts.total
    axis.set_xlabel(counted("redshift", int(total.sum() - view.of(total).sum())))
    axis.set_ylabel(f"per cent of the part, per {view.width:g}")
    axis.grid(axis="y")
    axis.legend(loc="upper right")
    return figure
