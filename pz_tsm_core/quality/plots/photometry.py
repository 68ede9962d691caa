"""Magnitude against redshift, as counts: a plot of points would be black from 10,000 on."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pz_tsm_core.quality.plots.style import PLATE, canvas, colour_bar, counted, density_map
from pz_tsm_core.quality.plots.window import window
from pz_tsm_core.quality.tally import Grid

_Z_WIDTHS = (1, 2, 5, 10, 25, 50)
_MAGNITUDE_WIDTHS = (1, 2, 5, 10)
#: Cells along an axis: as many as the square root of the rows, and no fewer and no more than these.
_FEWEST, _MOST = 30, 150


def magnitude_redshift(grid: Grid, band: str) -> Figure:
    """Galaxies in cells of redshift and magnitude, bright ones at the top."""
    most = int(np.clip(np.sqrt(grid.counts.sum()), _FEWEST, _MOST))
    x = window(grid.x, grid.counts.sum(axis=1), _Z_WIDTHS, most)
    y = window(grid.y, grid.counts.sum(axis=0), _MAGNITUDE_WIDTHS, most)
    cells = y.of(x.of(grid.counts, 0), 1).T
    figure = canvas(3.6)
    axis = figure.subplots()
    axis.set_facecolor(PLATE)
    image = axis.imshow(
        np.ma.masked_equal(cells, 0), origin="lower", aspect="auto", interpolation="none",
        extent=(x.edges[0], x.edges[-1], y.edges[0], y.edges[-1]), cmap=density_map(),
        norm=LogNorm(1, max(2, int(cells.max(initial=1)))),
    )
    axis.invert_yaxis()
    axis.set_xlabel(counted("redshift", int(grid.counts.sum() - cells.sum())))
    axis.set_ylabel(f"{band} (AB mag)")
    colour_bar(figure, image, f"galaxies per {x.width:g} x {y.width:g} mag", [axis])
    return figure
