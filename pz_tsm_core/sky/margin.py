"""Which rows a partition must also hold so that no match is lost at its border.

Everything here happens on cells: HEALPix pixels (nested) of one fine order, chosen as HATS does,
so wide that what lies within the margin of a partition lies in a cell that touches it. A row
belongs to the margin of every partition that a neighbour of its cell lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cdshealpix
import numpy as np
import numpy.typing as npt

from pz_tsm_core import sphere

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

INDEX_ORDER = sphere.INDEX_ORDER


class Tile(NamedTuple):
    """One HEALPix pixel in nested numbering, sorted as HATS sorts."""

    order: int
    pixel: int

    def range_at(self, order: int) -> tuple[int, int]:
        """First and one past the last pixel of a finer order inside the tile."""
        shift = 2 * (order - self.order)
        return self.pixel << shift, (self.pixel + 1) << shift


def cell_order(margin_arcsec: float) -> int:
    """Finest order whose cells are nowhere narrower than the margin.

    HATS takes the mean cell size over 1.6 as the least width; the true ratio is 1.49, reached
    next to the poles at the seams between polar base cells (Gorski et al. 2005, ApJ 622, 759: the
    polar projection, whose shear is largest there), so its rule leaves 7 % to spare.
    """
    from pz_tsm_core.hats_layout import hats  # four seconds that workers who search do not need

    return int(hats.pixel_math.healpix_shim.margin2order(margin_arcsec / 60.0))


def on_border(index: Int64s, tile: Tile, order: int) -> npt.NDArray[np.bool_]:
    """Whether the cell of each row of the tile touches the outside of the tile.

    Nested numbers interleave the bits of the two axes of a tile, so a cell is on the border when
    all bits of one axis are equal.

    Parameters
    ----------
    index : `_healpix_29` of rows in the tile
    order : order of the cells, finer than the tile
    """
    inside = cells_of(index, order) - tile.range_at(order)[0]
    even = np.int64((4 ** (order - tile.order) - 1) // 3)  # ...010101
    touches = np.zeros(len(inside), dtype=bool)
    for axis in (inside & even, (inside >> 1) & even):
        touches |= (axis == 0) | (axis == even)
    return touches


def cells_of(index: Int64s, order: int) -> Int64s:
    """Cells of the given order from `_healpix_29`."""
    return index >> np.int64(2 * (INDEX_ORDER - order))


@dataclass(frozen=True)
class Tiling:
    """The partitions of a catalogue, and the largest free tiles for the rest of the sky.

    Parameters
    ----------
    tiles : disjoint partitions
    order : order of the cells, finer than all tiles
    """

    tiles: Sequence[Tile]
    order: int

    def covering(self, cells: Int64s) -> list[Tile]:
        """For each cell the partition that holds it, else the largest tile free of partitions.

        Free tiles are what HATS calls the negative tree: a match partner of something outside
        the catalogue's partitions is found there.
        """
        ranges = sorted(tile.range_at(self.order) for tile in self.tiles)
        starts = np.array([start for start, _ in ranges], dtype=np.int64)
        ends = np.array([end for _, end in ranges], dtype=np.int64)
        held = {tile.range_at(self.order)[0]: tile for tile in self.tiles}
        at = np.searchsorted(starts, cells, side="right") - 1
        inside = (at >= 0) & (cells < ends[at])
        free = iter(self._free_tiles(cells[~inside], starts, ends))
        return [held[int(starts[i])] if yes else next(free)
                for i, yes in zip(at, inside, strict=True)]

    def _free_tiles(self, cells: Int64s, starts: Int64s, ends: Int64s) -> list[Tile]:
        orders = np.full(len(cells), -1, dtype=np.int64)
        for order in range(self.order + 1):
            shift = np.int64(2 * (self.order - order))
            low = (cells >> shift) << shift
            high = low + (np.int64(1) << shift)
            # Partitions are disjoint: those that end after `low` and start before `high` overlap.
            empty = np.searchsorted(ends, low, "right") == np.searchsorted(starts, high, "left")
            orders[(orders < 0) & empty] = order
        return [Tile(int(order), int(cell) >> (2 * (self.order - int(order))))
                for order, cell in zip(orders, cells, strict=True)]


def margin_rows(index: Int64s, tiling: Tiling) -> dict[Tile, Int64s]:
    """For every tile the rows (positions in `index`) of other partitions that border on it.

    Parameters
    ----------
    index : `_healpix_29` of the rows that `on_border` selected, of all partitions

    Returns
    -------
    dict
        Row positions, ordered by `_healpix_29`, by tile in the order of HATS.
    """
    cells, cell_of_row = np.unique(cells_of(index, tiling.order), return_inverse=True)
    if not len(cells):
        return {}
    around = cdshealpix.neighbours(cells.astype(np.uint64), tiling.order).astype(np.int64)
    own = tiling.covering(cells)
    wanted: dict[Tile, set[int]] = {}
    near, column = np.nonzero(around >= 0)  # -1 where three base cells meet
    for cell, tile in zip(near, tiling.covering(around[near, column]), strict=True):
        if tile != own[cell]:
            wanted.setdefault(tile, set()).add(int(cell))
    return {tile: _rows_of(wanted[tile], cell_of_row, index) for tile in sorted(wanted)}


def _rows_of(cells: set[int], cell_of_row: Int64s, index: Int64s) -> Int64s:
    chosen = np.zeros(int(cell_of_row.max()) + 1, dtype=bool)
    chosen[list(cells)] = True
    rows = np.flatnonzero(chosen[cell_of_row])
    return rows[np.argsort(index[rows], kind="stable")]
