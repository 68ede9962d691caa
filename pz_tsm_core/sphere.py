"""Where positions lie along the sphere, as one number: HEALPix of the finest order, nested."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

INDEX_ORDER = 29  # of `_healpix_29`, which HATS catalogues are sorted by


def spatial_index(ra: npt.ArrayLike, dec: npt.ArrayLike) -> Int64s:
    """`_healpix_29` of ICRS positions in degrees; shape (n,).

    Neighbours in this order are mostly neighbours on the sky.

    Examples
    --------
    >>> spatial_index([0.0], [0.0]) >> 2 * INDEX_ORDER
    array([4])
    """
    import cdshealpix  # with the coordinates of astropy: a second that not everybody needs
    from astropy import units
    from astropy.coordinates import Latitude, Longitude

    cells: Int64s = cdshealpix.lonlat_to_healpix(
        Longitude(ra, units.deg), Latitude(dec, units.deg), INDEX_ORDER
    ).astype(np.int64)
    return cells


def order_along(index: Int64s, ids: Int64s) -> npt.NDArray[np.intp]:
    """Order of rows by their spatial index and, where that is equal, by their ids.

    Examples
    --------
    >>> order_along(np.array([7, 3, 7]), np.array([2, 1, 1]))
    array([1, 2, 0])
    """
    order = np.argsort(index)
    again = np.diff(index[order]) == 0
    # Few share their place: to sort these alone takes a third of the time of a sort by both.
    shared = np.flatnonzero(np.append(again, False) | np.append(False, again))
    among = order[shared]
    order[shared] = among[np.lexsort((ids[among], index[among]))]
    return order
