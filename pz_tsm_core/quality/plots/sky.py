"""Where on the sky the rows lie: the whole of it, and the fields that would be a dot there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure

from pz_tsm_core.quality.cells import Cells, Field, cell_area, fields
from pz_tsm_core.quality.plots.projection import field_sky, mollweide, mollweide_sky
from pz_tsm_core.quality.plots.style import (
    FAINT_ON_PLATE,
    INK,
    MUTED,
    ON_PLATE,
    PLATE,
    VERMILLION,
    canvas,
    colour_bar,
    density_map,
)

Floats = npt.NDArray[np.float64]

#: Cells of the whole map: 55 arcmin, a pixel of it.
_WHOLE_ORDER = 6
_PIXELS = (1000, 500)

#: A field wider than this (deg, radius) is seen on the whole map.
_WIDEST = 8.0
_MOST_FIELDS = 6
_LETTERS = "ABCDEF"
_COLUMNS = 3
_FIELD_PIXELS = 240
#: Cells across a field's map: no more than these and, where rows are few, no fewer than those.
_ACROSS, _FEWEST_ACROSS = 60, 12
_ROWS_A_CELL = 3


def zooms(rows: Cells) -> list[Field]:
    """The fields that the whole map is too small for, most rows first, at most six.

    Specks with less than a hundredth of the rows are no fields.
    """
    speck = rows.rows.sum() / 100
    return [field for field in fields(rows, 2 * _MOST_FIELDS)
            if field.radius <= _WIDEST and field.rows >= speck][:_MOST_FIELDS]


def whole(rows: Cells, behind: Cells | None, marked: Sequence[Field]) -> Figure:
    """Rows per square degree over the whole sky, in Mollweide's projection.

    Parameters
    ----------
    behind : cells that are shown in grey where there are no rows
    marked : fields that get a letter
    """
    figure = canvas(3.1)
    axis = figure.subplots()
    axis.set_axis_off()
    axis.set_aspect("equal")
    rim = mollweide(*_rim())
    axis.fill(*rim, facecolor=PLATE, edgecolor="none", zorder=-1)  # behind all images
    chart = Chart.of_sky()
    cells = rows.coarser(_WHOLE_ORDER)
    image = chart.paint(axis, cells, behind and behind.coarser(_WHOLE_ORDER), _norm(cells))
    _graticule(axis)
    axis.plot(*rim, color=MUTED, linewidth=0.8)
    for letter, field in zip(_LETTERS, marked, strict=False):
        _mark(axis, letter, field)
    axis.set_xlim(-2.06, 2.06)
    axis.set_ylim(-1.06, 1.06)
    colour_bar(figure, image, "rows per square degree", [axis])
    return figure


def zoomed(rows: Cells, behind: Cells | None, marked: Sequence[Field]) -> Figure:
    """Rows per square degree in each field, on one colour scale, each to its own size."""
    lines = -(-len(marked) // _COLUMNS)
    figure = canvas(0.3 + 1.95 * lines)
    axes = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    shown = [_legible(rows.within(field), field) for field in marked]
    norm = _norm(*shown)
    for letter, axis, field, cells in zip(_LETTERS, axes, marked, shown, strict=False):
        axis.set_facecolor(PLATE)
        chart = Chart.of_field(field, np.sqrt(cell_area(cells.order)))
        image = chart.paint(axis, cells, behind and behind.coarser(cells.order), norm)
        axis.invert_xaxis()
        axis.locator_params(nbins=5)
        axis.set_title(f"{letter}: {_degrees(field.ra)}, {_degrees(field.dec, 2, '+')}",
                       loc="left", size=7.5)
    for axis in axes[len(marked):]:
        axis.set_axis_off()
    figure.supxlabel("degrees from the centre of the field, east to the left", size=8, color=INK)
    colour_bar(figure, image, "rows per square degree", list(axes))
    return figure


@dataclass(frozen=True)
class Chart:
    """The pixels of a map: places on it and on the sky, each of shape (lines, columns)."""

    x: Floats
    y: Floats
    ra: Floats  # NaN where there is no sky
    dec: Floats
    extent: tuple[float, float, float, float]

    @classmethod
    def of_sky(cls) -> Chart:
        """The whole sky."""
        x, y = np.meshgrid(_centres(-2, 2, _PIXELS[0]), _centres(-1, 1, _PIXELS[1]))
        return cls(x, y, *mollweide_sky(x, y), (-2, 2, -1, 1))

    @classmethod
    def of_field(cls, field: Field, around: float) -> Chart:
        """A field and what is around it, in degrees from its centre."""
        reach = field.radius + around
        x, y = np.meshgrid(*2 * [_centres(-reach, reach, _FIELD_PIXELS)])
        return cls(x, y, *field_sky(x, y, field.ra, field.dec), (-reach, reach, -reach, reach))

    def paint(
        self, axis: Axes, rows: Cells, behind: Cells | None, norm: LogNorm
    ) -> ScalarMappable:
        """Show density in colour, what lies behind in grey, and the outline of what has rows."""
        if behind is not None:
            grey = np.where(self._rows(behind) > 0, 1.0, np.nan)
            self._image(axis, grey, cmap=ListedColormap([FAINT_ON_PLATE]), alpha=0.8)
        density = self._rows(rows) / cell_area(rows.order)
        there = (density > 0).astype(np.float64)
        if 0 < there.mean() < 1:
            outline = axis.contour(self.x, self.y, there, levels=[0.5], colors=[ON_PLATE],
                                   linewidths=0.4)
            outline.set_rasterized(True)  # a ragged one has more corners than the page has words
        density[density == 0] = np.nan
        return self._image(axis, density, norm=norm, cmap=density_map())

    def _rows(self, cells: Cells) -> Floats:
        """Rows in the cell under each pixel; 0 where there is no sky."""
        rows = np.zeros(self.ra.shape)
        sky = np.isfinite(self.ra)
        rows[sky] = cells.at(self.ra[sky], self.dec[sky])
        return rows

    def _image(self, axis: Axes, values: Floats, **looks: Any) -> ScalarMappable:
        return axis.imshow(values, extent=self.extent, origin="lower", interpolation="none",
                           **looks)


def _centres(low: float, high: float, number: int) -> Floats:
    """Middles of equal pieces between two ends, shape (number,)."""
    return np.asarray(low + (high - low) * (np.arange(number) + 0.5) / number, dtype=np.float64)


def _legible(cells: Cells, field: Field) -> Cells:
    """Cells of a field, coarse enough for a small map, and to hold three rows on the average."""
    while len(cells.index) and cells.order > _WHOLE_ORDER:
        side = np.sqrt(cell_area(cells.order))
        sparse = cells.rows.mean() < _ROWS_A_CELL and 2 * field.radius / side > _FEWEST_ACROSS
        if side > 2 * field.radius / _ACROSS and not sparse:
            break
        cells = cells.coarser(cells.order - 1)
    return cells


def _norm(*cells: Cells) -> LogNorm:
    """One scale from the emptiest to the fullest cell."""
    densities = [each.rows / cell_area(each.order) for each in cells if len(each.rows)]
    low = min((float(density.min()) for density in densities), default=1.0)
    high = max((float(density.max()) for density in densities), default=1.0)
    return LogNorm(low, max(high, 1.5 * low))


def _rim() -> tuple[Floats, Floats]:
    """The edge of the map, once around."""
    up = np.linspace(-90, 90, 181)
    ra = np.concatenate([np.zeros(181), np.full(181, 360.0)])
    return ra, np.concatenate([up, up[::-1]])


def _graticule(axis: Axes) -> None:
    """Lines every 60 degrees of right ascension and every 30 of declination, with numbers."""
    dec, around = np.linspace(-90, 90, 91), np.linspace(0, 360, 181)
    line: dict[str, Any] = {"color": FAINT_ON_PLATE, "linewidth": 0.4}
    for ra in range(60, 360, 60):
        axis.plot(*mollweide(np.full(91, float(ra)), dec), **line)
        _write(axis, _degrees(ra, 0), (float(ra), 0.0), (2, -7), size=6.5, color=ON_PLATE)
    for parallel in (-60.0, -30.0, 0.0, 30.0, 60.0):
        axis.plot(*mollweide(around, np.full(181, parallel)), **line)
        _write(axis, _degrees(parallel, 0, "+"), (360.0, parallel), (-4, -2), size=6.5, ha="right",
               color=MUTED)


def _mark(axis: Axes, letter: str, field: Field) -> None:
    x, y = mollweide(np.array([field.ra]), np.array([field.dec]))
    axis.plot(x, y, "o", markersize=9, markerfacecolor="none", markeredgecolor=VERMILLION)
    _write(axis, letter, (field.ra, field.dec), (6, 4), color=ON_PLATE, weight="bold")


def _write(
    axis: Axes, text: str, place: tuple[float, float], beside: tuple[float, float], **looks: Any
) -> None:
    """Write beside a place on the sky; `beside` in points."""
    x, y = mollweide(*(np.array([angle]) for angle in place))
    axis.annotate(text, (x[0], y[0]), xytext=beside, textcoords="offset points", **looks)


def _degrees(angle: float, digits: int = 2, sign: str = "-") -> str:
    text = f"{angle:{sign if angle else '-'}.{digits}f}\N{DEGREE SIGN}"
    return text.replace("-", "\N{MINUS SIGN}")
