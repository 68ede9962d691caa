"""Which cells of HEALPix a disc may touch: the ground on which a match loses no pair.

The cover rests on one property of cells that `sky/margin.py` uses as well and that the tests hold
by definition, also at the poles, at RA 0 and where three base cells meet: at the order that
`cell_order` gives for an angle, no cell is narrower than that angle. So a disc of this radius lies
within the cell of its centre and the cells that touch it.
"""

from __future__ import annotations

from typing import NamedTuple

import cdshealpix
import numpy as np
import numpy.typing as npt

from pz_tsm_core.sky.margin import INDEX_ORDER, Int64s, cell_order, cells_of, mean_size_arcsec
from pz_tsm_core.sphere import spatial_index

Floats = npt.NDArray[np.float64]

#: Cells of the cover are so many orders coarser than those the proof speaks of: then a disc
#: touches one to four of them instead of nine, and few objects lie in them beside it.
COARSER = 2

#: Mean sizes of a cell that none is longer than, with much to spare.
LONGEST = 4.0

#: Stored positions and `_healpix_29` may be rounded apart: 0.4 mas is the size of its cells.
SLACK_ARCSEC = 0.002


class Cover(NamedTuple):
    """Cells that discs may touch, sorted by cell; a cell stands once for each disc.

    Parameters
    ----------
    cells : nested pixels of `order`, shape (n,)
    disc : which disc, shape (n,)
    radius_arcsec : of all discs
    """

    order: int
    cells: Int64s
    disc: npt.NDArray[np.intp]
    radius_arcsec: float

    @property
    def farthest_arcsec(self) -> float:
        """What no point of a cell is farther from the centre of its disc.

        Where cells are longest, next to the poles, two corners are 2.2 mean sizes apart.
        """
        return self.radius_arcsec + LONGEST * mean_size_arcsec(self.order)

    @property
    def shift(self) -> np.int64:
        """Bits between a cell and the first `_healpix_29` in it."""
        return np.int64(2 * (INDEX_ORDER - self.order))

    def within(self, first: int, last: int) -> Cover:
        """The part whose cells overlap the range of `_healpix_29` from `first` to before `last`."""
        low = np.searchsorted(self.cells, first >> self.shift)
        high = np.searchsorted(self.cells, (last - 1) >> self.shift, side="right")
        return self._replace(cells=self.cells[low:high], disc=self.disc[low:high])

    def of(self, disc: npt.NDArray[np.intp]) -> Cover:
        """The part of some discs: all of their cells."""
        kept = np.isin(self.disc, disc)
        return self._replace(cells=self.cells[kept], disc=self.disc[kept])



def cover_discs(ra: Floats, dec: Floats, radius_arcsec: float) -> Cover:
    """Give cells that hold every point within a radius of each position, and some beyond.

    Parameters
    ----------
    ra, dec : ICRS positions in degrees, shape (n,)
    radius_arcsec : of all discs
    """
    fine = cell_order(radius_arcsec + SLACK_ARCSEC)
    order = max(fine - COARSER, 0)
    if not len(ra):
        return Cover(order, np.empty(0, np.int64), np.empty(0, np.intp), radius_arcsec)
    centres = cells_of(spatial_index(ra, dec), fine)
    around = cdshealpix.neighbours(centres, fine).astype(np.int64)  # -1 at corners without one
    around = np.where(around < 0, around[:, 4:5], around) >> np.int64(2 * (fine - order))
    around.sort(axis=1)
    once = np.ones(around.shape, dtype=bool)
    once[:, 1:] = around[:, 1:] != around[:, :-1]
    disc, place = np.nonzero(once)
    cells = around[disc, place]
    along = np.argsort(cells, kind="stable")
    return Cover(order, cells[along], disc[along], radius_arcsec)
