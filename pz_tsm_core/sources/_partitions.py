"""Which HEALPix partitions of a catalogue may hold rows of a region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.surveys.enclosing import read_moc
from pz_tsm_core.surveys.region import distance

if TYPE_CHECKING:
    from mocpy import MOC

#: Degrees by which partitions are taken to be larger: positions in single precision are rounded.
MARGIN = 1e-3

#: Order at which a MOC is widened by one cell on all sides, of 51 arcsec.
_MOC_ORDER = 12
_FINEST = 29
#: Orders between a partition and the parts of it that are looked at.
_FINER = 3

Numbers = npt.NDArray[np.uint64]
Orders = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def touching(pixels: Sequence[Any], wanted: Wanted) -> list[Any]:
    """Give the pixels, in their order, that hold any of the wanted region, or lie very near it.

    Parameters
    ----------
    pixels : each with `order`, and `pixel` in nested numbering

    Raises
    ------
    TsmError
        `value.out-of-range` for a MOC that is none, or empty.
    """
    if not pixels or (wanted.region is None and not wanted.moc):
        return list(pixels)
    orders = np.array([pixel.order for pixel in pixels], dtype=np.uint8)
    numbers = np.array([pixel.pixel for pixel in pixels], dtype=np.uint64)
    near = _near(numbers, orders, wanted.region) if wanted.region else \
        _overlap(numbers, orders, _widened(read_moc(wanted.moc)))
    return [pixel for pixel, is_near in zip(pixels, near, strict=True) if is_near]


def _near(numbers: Numbers, orders: Orders, region: Region) -> Mask:
    """Those of which a part is near, looked at whole first and then in 64 parts.

    mocpy 0.21 makes no MOC of wide cones and polar boxes that would hold all of them.
    """
    near = _reach(numbers, orders, region)
    large = near & (orders <= _FINEST - _FINER)
    parts = (numbers[large, None] << np.uint64(2 * _FINER)) + np.arange(4**_FINER, dtype=np.uint64)
    finer = np.broadcast_to(orders[large, None] + np.uint8(_FINER), parts.shape)
    near[large] = _reach(parts.ravel(), finer.ravel(), region).reshape(parts.shape).any(axis=1)
    return near


def _reach(numbers: Numbers, orders: Orders, region: Region) -> Mask:
    """Those whose centre is no farther from the region than their farthest corner from it."""
    from astropy.coordinates import angular_separation
    from cdshealpix.nested import healpix_to_lonlat, vertices

    ra, dec = (angle.to_value("rad") for angle in healpix_to_lonlat(numbers, orders))
    corners = (angle.to_value("rad") for angle in vertices(numbers, orders))
    radius = np.degrees(angular_separation(ra[:, None], dec[:, None], *corners).max(axis=1))
    away = [distance(region, *centre) for centre in np.degrees([ra, dec]).T]
    return np.asarray(np.array(away) <= radius + MARGIN)


def _widened(moc: MOC) -> MOC:
    even = moc.degrade_to_order if moc.max_order > _MOC_ORDER else moc.refine_to_order
    return (moc if moc.max_order == _MOC_ORDER else even(_MOC_ORDER)).add_neighbours()


def _overlap(numbers: Numbers, orders: Orders, moc: MOC) -> Mask:
    """Those that share a cell of the finest order with a MOC."""
    bits = 2 * (_FINEST - orders.astype(np.uint64))
    first, beyond = numbers << bits, (numbers + np.uint64(1)) << bits
    begins, ends = moc.to_depth29_ranges.T
    nearest = np.searchsorted(ends, first, side="right")  # the first range that ends beyond it
    return np.asarray(np.append(begins, np.uint64(2**63))[nearest] < beyond)
