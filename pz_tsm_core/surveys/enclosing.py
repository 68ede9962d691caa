"""The box around a region of the sky: what services select by, before the region itself is cut."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, degrees, radians, sin
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region

if TYPE_CHECKING:
    from mocpy import MOC

#: Degrees by which a box is larger than it must be: formulas round, and so do services.
MARGIN = 1e-7

#: Order to which a MOC is made coarser first: cells of 0.9 deg, of which there are 49,152.
_COARSE = 6

Floats = npt.NDArray[np.float64]
Arc = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A part of the sky between meridians and circles of declination, borders included.

    Parameters
    ----------
    ra : deg, one range, or two where the box lies across 0; from 0 to 360 where it holds a pole
    dec : deg, smallest and largest
    """

    ra: tuple[Arc, ...]
    dec: Arc

    @property
    def all_ra(self) -> bool:
        """Whether every right ascension lies inside."""
        return self.ra == ((0.0, 360.0),)


def box_of(wanted: Wanted) -> Box | None:
    """Give the box around what is wanted of a catalogue; None where no region is named.

    The box holds every point of the region, also of one with a pole inside or across ra 0, and of
    a MOC in several parts.

    Raises
    ------
    TsmError
        `value.out-of-range` for a MOC that is none, or empty.
    """
    if wanted.moc:
        return _around_moc(wanted.moc)
    if wanted.region is None:
        return None
    return _around_cone(wanted.region) if wanted.region.cone else _around_box(wanted.region)


def read_moc(text: str) -> MOC:
    """Read a MOC in ASCII.

    Raises
    ------
    TsmError
        `value.out-of-range` for text that is none, and for one that holds nothing.
    """
    from mocpy import MOC

    try:
        moc = MOC.from_string(text, "ascii")
    except (ValueError, OSError) as error:
        raise _no_moc(str(error)) from None
    if moc.empty():
        raise _no_moc("a MOC without cells")
    return moc


def _around_cone(region: Region) -> Box:
    ra, dec, radius = region.cone or (0.0, 0.0, 0.0)
    low, high = dec - radius, dec + radius
    if low <= -90 or high >= 90:
        return _box(0.0, 360.0, low, high)
    # Where a meridian touches the circle.
    half = degrees(asin(min(1.0, sin(radians(radius)) / cos(radians(dec)))))
    return _box(ra - half, 2 * half, low, high)


def _around_box(region: Region) -> Box:
    first, last, low, high = region.box or (0.0, 360.0, -90.0, 90.0)
    return _box(first, last - first if last >= first else last - first + 360, low, high)


def _around_moc(text: str) -> Box:
    west, east, low, high = _extents(*_cells(text))
    start, width = _arc_around(west, east)
    return _box(start, width, low.min(), high.max())


def _cells(text: str) -> tuple[npt.NDArray[np.uint64], int]:
    """The cells of a MOC at one order, made coarser where they would be many."""
    moc = read_moc(text)
    if moc.max_order > _COARSE:
        moc = moc.degrade_to_order(_COARSE)
    return moc.flatten(), moc.max_order


def _no_moc(found: str) -> Exception:
    return refuse(Code.VALUE_RANGE, "moc", found=found,
                  expected="a MOC in ASCII, as in `3/12 4/100-103`", remedy="correct it")


def _extents(cells: npt.NDArray[np.uint64], order: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Smallest ra, largest ra, smallest dec, largest dec of each cell (deg).

    Along the edges of a HEALPix cell both coordinates are monotonic, so its corners in the south,
    east, north and west bound it; the ra of a corner at a pole means nothing and is not used.
    """
    from cdshealpix.nested import vertices

    ra, dec = (one.to_value("deg") for one in vertices(cells, order))
    return ra[:, 3] % 360, ra[:, 1] % 360, dec[:, 0], dec[:, 2]


def _arc_around(west: Floats, east: Floats) -> Arc:
    """Begin and width of the smallest arc that holds all arcs from west to east (deg)."""
    order = np.argsort(west)
    begin = west[order]
    end = np.maximum.accumulate(begin + (east - west)[order] % 360)
    # What lies between the end of all former arcs and the begin of the next belongs to none.
    gaps = np.append(begin[1:], begin[0] + 360) - np.maximum(end, end[-1] - 360)
    widest = int(np.argmax(gaps))
    if gaps[widest] <= 0:
        return 0.0, 360.0
    return float(np.append(begin[1:], begin[0] + 360)[widest]), float(360 - gaps[widest])


def _box(start: float, width: float, low: float, high: float) -> Box:
    """The box from `start` eastwards, a little larger than asked for, within 0 to 360."""
    dec = max(-90.0, float(low) - MARGIN), min(90.0, float(high) + MARGIN)
    start, width = (start - MARGIN) % 360, width + 2 * MARGIN
    end = start + width
    if width >= 360:
        return Box(((0.0, 360.0),), dec)
    if end <= 360:
        return Box(((start, end),), dec)
    return Box(((0.0, end - 360), (start, 360.0)), dec)
