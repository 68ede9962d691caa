"""Rows counted in cells of the sky (HEALPix, nested), and the fields that the cells form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cdshealpix.nested
import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.coordinates import Latitude, Longitude
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pz_tsm_core.ops.runs import run_starts
from pz_tsm_core.sphere import unit_vectors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Cells of 1.7 arcmin: a square degree is 34 x 34 of them.
FINEST = 11

#: More occupied cells than these, and four become one. All 786,432 cells of order 8 are fewer.
MAX_CELLS = 2**20

#: A field is what hangs together in cells of this order (55 arcmin).
FIELD_ORDER = 6

#: Square degrees of the whole sky.
SKY = 4 * np.pi * np.degrees(1) ** 2


def cell_area(order: int) -> float:
    """Area of a cell in square degrees: all 12 * 4**order are equal."""
    return float(SKY / (12 * 4**order))


def cells_at(ra: Floats, dec: Floats, order: int) -> Ints:
    """Cell of each position in degrees, shape (n,)."""
    place = Longitude(ra, units.deg), Latitude(dec, units.deg)
    cells = cdshealpix.nested.lonlat_to_healpix(*place, order, num_threads=1)
    return np.asarray(cells, dtype=np.int64)


@dataclass(frozen=True)
class Cells:
    """Occupied cells of one order, sorted, and the rows in each."""

    order: int
    index: Ints
    rows: Ints

    def coarser(self, order: int) -> Cells:
        """The same rows in cells of a lower order; of the own order where that is lower."""
        if order >= self.order:
            return self
        parents = self.index >> np.int64(2 * (self.order - order))
        starts = run_starts(parents)
        return Cells(order, parents[starts], _sums(self.rows, starts))

    def at(self, ra: Floats, dec: Floats) -> Ints:
        """Rows in the cell of each position in degrees, shape (n,)."""
        if not len(self.index):
            return np.zeros(len(ra), dtype=np.int64)
        wanted = cells_at(ra, dec, self.order)
        found = np.minimum(np.searchsorted(self.index, wanted), len(self.index) - 1)
        return np.where(self.index[found] == wanted, self.rows[found], 0)

    def within(self, field: Field) -> Cells:
        """The cells whose centres lie in a field."""
        centre = unit_vectors(np.array([field.ra]), np.array([field.dec]))[0]
        near = self.directions @ centre >= np.cos(np.radians(field.radius))
        return Cells(self.order, self.index[near], self.rows[near])

    @property
    def area(self) -> float:
        """Square degrees that the occupied cells cover."""
        return len(self.index) * cell_area(self.order)

    @cached_property
    def directions(self) -> Floats:
        """Unit vectors to the centres of the cells, shape (n, 3)."""
        cells = self.index.astype(np.uint64)
        ra, dec = cdshealpix.nested.healpix_to_lonlat(cells, self.order, num_threads=1)
        return unit_vectors(ra.deg, dec.deg)


def _sums(rows: Ints, starts: Ints) -> Ints:
    return np.asarray(np.add.reduceat(rows, starts) if len(rows) else rows, dtype=np.int64)


class SkyTally:
    """Counts rows in cells, in bounded memory: as fine as the number of occupied cells allows.

    The order that results depends on the rows alone, not on how they came: while rows come,
    occupied cells only become more.
    """

    def __init__(self, finest: int = FINEST, max_cells: int = MAX_CELLS) -> None:
        nothing = np.empty(0, dtype=np.int64)
        self._cells = Cells(finest, nothing, nothing)
        self._waiting: list[Ints] = []
        self._max_cells = max_cells

    def add(self, ra: Floats, dec: Floats) -> None:
        """Count positions in degrees, shape (n,)."""
        self._waiting.append(cells_at(ra, dec, self._cells.order))
        if sum(map(len, self._waiting)) > self._max_cells:
            self._settle()

    @property
    def cells(self) -> Cells:
        """What was counted so far."""
        self._settle()
        return self._cells

    def _settle(self) -> None:
        """Merge the positions that wait into the cells, and coarsen these while they are many."""
        index = np.concatenate([self._cells.index, *self._waiting])
        rows = np.concatenate([self._cells.rows, *map(np.ones_like, self._waiting)])
        self._waiting = []
        by_index = np.argsort(index)
        starts = run_starts(index[by_index])
        order = self._cells.order
        self._cells = Cells(order, index[by_index][starts], _sums(rows[by_index], starts))
        while len(self._cells.index) > self._max_cells:
            self._cells = self._cells.coarser(self._cells.order - 1)


@dataclass(frozen=True)
class Field:
    """Occupied cells that hang together: mean direction (deg), radius (deg) and rows."""

    ra: float
    dec: float
    radius: float
    rows: int


def fields(cells: Cells, most: int) -> list[Field]:
    """The `most` fields with the most rows, and these first.

    Occupied cells of order 6 that share a side or a corner are of one field.
    """
    coarse = cells.coarser(FIELD_ORDER)
    if not len(coarse.index):
        return []
    groups = _groups(coarse)
    rows = np.bincount(groups, weights=coarse.rows)
    parent = cells.index >> np.int64(2 * (cells.order - coarse.order))
    group = groups[np.searchsorted(coarse.index, parent)]
    # Groups are numbered along the sky, so that equal rows are settled by where they lie.
    return [_field(cells, group == number) for number in np.argsort(-rows, kind="stable")[:most]]


def _groups(cells: Cells) -> Ints:
    """Number of the group that each cell hangs together with, shape (n,)."""
    around = cdshealpix.nested.neighbours(
        cells.index.astype(np.uint64), cells.order, num_threads=1).astype(np.int64)
    own = np.repeat(np.arange(len(cells.index)), around.shape[1])
    place = np.minimum(np.searchsorted(cells.index, around.ravel()), len(cells.index) - 1)
    linked = cells.index[place] == around.ravel()  # a corner without a neighbour is -1
    links = coo_array((np.ones(linked.sum(), dtype=bool), (own[linked], place[linked])),
                      shape=(len(cells.index), len(cells.index)))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _field(cells: Cells, mine: npt.NDArray[np.bool_]) -> Field:
    directions = cells.directions[mine]
    mean = directions.mean(axis=0)
    length = np.linalg.norm(mean)
    # All around the sky any centre is as good.
    x, y, z = mean / length if length > 1e-6 else (1.0, 0.0, 0.0)
    reach = np.degrees(np.arccos(np.clip((directions @ (x, y, z)).min(), -1, 1)))
    return Field(
        ra=float(np.degrees(np.arctan2(y, x)) % 360),
        dec=float(np.degrees(np.arcsin(np.clip(z, -1, 1)))),
        radius=float(reach + np.sqrt(cell_area(cells.order))),
        rows=int(cells.rows[mine].sum()),
    )
