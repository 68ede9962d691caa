"""How far objects lie from the redshifts' positions, and whether to one side."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pz_tsm_core.quality.metrics import FEW, MAS
from pz_tsm_core.quality.plots.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    canvas,
    ranked,
    shortened,
    thousands,
)
from pz_tsm_core.quality.tally import Floats, Tally, coarser, median, quantile

#: Bins of the histogram that are shown, out of those of the tally.
_BINS = 50
#: Median of a Rayleigh distribution over its scale.
_MEDIAN_OVER_SCALE = np.sqrt(2 * np.log(2))


def separations(separation: Tally) -> Figure:
    """Histogram of separations, and what errors of Gaussian positions would make of it."""
    axis, counts = separation.axis, separation.total
    factor = axis.bins // _BINS
    edges = axis.edges[::factor]
    figure = canvas(2.6)
    plot = figure.subplots()
    plot.stairs(coarser(counts[1:-1], factor), edges, fill=True, color=BLUE, label="matches")
    middle = median(axis, counts)
    if np.isfinite(middle):
        plot.stairs(rayleigh(separation, edges), edges, color=ORANGE, linewidth=1.8,
                    label="Gaussian errors with the medians of the surveys")
        plot.axvline(middle, color=INK, linewidth=1, linestyle=(0, (4, 2)),
                     label=f"median {middle:.3f} arcsec")
    plot.set_xlim(0, edges[-1])
    plot.set_xlabel("separation (arcsec)")
    plot.set_ylabel(f"galaxies per {1000 * (edges[1] - edges[0]):.3g} mas")
    plot.grid(axis="y")
    thousands(plot)
    plot.legend(loc="upper right")
    return figure


def rayleigh(separation: Tally, edges: Floats) -> Floats:
    """Matches expected between edges (arcsec) if the errors of positions are Gaussian.

    The separation is then Rayleigh distributed, with a scale that the median gives. Every survey
    has its own scale; those with few matches share one. The curve is cut at the match radius as the
    matches are.
    """
    few = [name for name in separation.counts if separation.rows(name) < FEW]
    groups = [separation.counts[name] for name in separation.counts if name not in few]
    if few:
        groups.append(np.sum([separation.counts[name] for name in few], axis=0))
    expected = np.zeros(len(edges) - 1)
    for counts in groups:
        scale = max(median(separation.axis, counts), separation.axis.step) / _MEDIAN_OVER_SCALE
        below = -np.expm1(-((edges / scale) ** 2) / 2)
        expected += counts.sum() * np.diff(below) / below[-1]
    return expected


def offsets(east: Tally, north: Tally) -> Figure:
    """Median and middle 68 % of the offsets to the east and to the north, a line a survey."""
    shown, _ = ranked({name: east.rows(name) for name in east.counts})
    figure = canvas(0.75 + 0.2 * max(1, len(shown)))
    left, right = figure.subplots(1, 2, sharey=True)
    _offset_lines(left, east, shown, "to the east (mas)")
    _offset_lines(right, north, shown, "to the north (mas)")
    left.set_yticks(range(len(shown)), [shortened(name) for name in shown])
    left.invert_yaxis()
    return figure


def _offset_lines(axis: Axes, offset: Tally, surveys: list[str], label: str) -> None:
    axis.axvline(0, color=MUTED, linewidth=0.8)
    for line, name in enumerate(surveys):
        counts = offset.counts[name]
        low, middle, high = (MAS * quantile(offset.axis, counts, share)
                             for share in (0.16, 0.5, 0.84))
        axis.plot([low, high], [line, line], color=GRID, linewidth=4, solid_capstyle="butt")
        axis.plot([middle], [line], "o", color=BLUE, markersize=4)
    axis.set_xlabel(label)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
