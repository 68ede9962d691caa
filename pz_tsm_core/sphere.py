"""Where positions lie along the sphere, as one number: HEALPix of the finest order, nested."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

INDEX_ORDER = 29  # of `_healpix_29`, which HATS catalogues are sorted by


def spatial_index(ra: npt.ArrayLike, dec: npt.ArrayLike) -> npt.NDArray[np.int64]:
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

    cells: npt.NDArray[np.int64] = cdshealpix.lonlat_to_healpix(
        Longitude(ra, units.deg), Latitude(dec, units.deg), INDEX_ORDER
    ).astype(np.int64)
    return cells
