"""Points and angles on the sphere, and where points lie along it as one number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

ARCSEC_PER_RADIAN = 180 * 3600 / np.pi
INDEX_ORDER = 29  # of `_healpix_29`, which HATS catalogues are sorted by


class Tile(NamedTuple):
    """One HEALPix pixel in nested numbering, sorted as HATS sorts."""

    order: int
    pixel: int

    def range_at(self, order: int) -> tuple[int, int]:
        """First and one past the last pixel of a finer order inside the tile."""
        shift = 2 * (order - self.order)
        return self.pixel << shift, (self.pixel + 1) << shift


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


def unit_vectors(ra: Floats, dec: Floats) -> Floats:
    """Points of the unit sphere, shape (n, 3), for `ra` and `dec` in degrees, shape (n,)."""
    alpha, delta = np.radians(ra), np.radians(dec)
    cos_delta = np.cos(delta)
    return np.column_stack((cos_delta * np.cos(alpha), cos_delta * np.sin(alpha), np.sin(delta)))


def separation_arcsec(ra1: Floats, dec1: Floats, ra2: Floats, dec2: Floats) -> Floats:
    """Angle between positions in degrees, elementwise, in arcsec.

    The haversine formula (Sinnott 1984, Sky & Telescope 68, 159), which keeps its precision at
    small angles, also at the poles and across RA 0.
    """
    delta1, delta2 = np.radians(dec1), np.radians(dec2)
    half_dec = np.sin((delta2 - delta1) / 2) ** 2
    half_ra = np.sin(np.radians(ra2 - ra1) / 2) ** 2
    chord = np.sqrt(half_dec + np.cos(delta1) * np.cos(delta2) * half_ra)
    return np.asarray(2 * np.arcsin(np.minimum(chord, 1)) * ARCSEC_PER_RADIAN, dtype=np.float64)


def offset_arcsec(
    ra: Floats, dec: Floats, other_ra: Floats, other_dec: Floats
) -> tuple[Floats, Floats]:
    """How far the others lie to the east and the north of positions in degrees, in arcsec.

    Longitude and latitude on a sphere that is turned until the position is at (0, 0): great
    circles, not differences of coordinates, so it holds at the poles and across RA 0.
    """
    delta, other = np.radians(dec), np.radians(other_dec)
    turn = np.radians(other_ra - ra)
    ahead = np.cos(other) * np.cos(turn)
    east = np.arctan2(np.cos(other) * np.sin(turn), np.cos(delta) * ahead
                      + np.sin(delta) * np.sin(other))
    north = np.arcsin(np.cos(delta) * np.sin(other) - np.sin(delta) * ahead)
    return east * ARCSEC_PER_RADIAN, north * ARCSEC_PER_RADIAN


def offset_by(
    ra: Floats, dec: Floats, east_arcsec: npt.ArrayLike, north_arcsec: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Positions in degrees so far to the east and the north: the inverse of `offset_arcsec`."""
    delta = np.radians(dec)
    east, north = (np.asarray(angle) / ARCSEC_PER_RADIAN for angle in (east_arcsec, north_arcsec))
    x, y, z = np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)
    level, up = x * np.cos(delta) - z * np.sin(delta), x * np.sin(delta) + z * np.cos(delta)
    there = (ra + np.degrees(np.arctan2(y, level))) % 360
    return there, np.degrees(np.arctan2(up, np.hypot(level, y)))


def chord_of(angle_arcsec: float) -> float:
    """Distance between two points of the unit sphere that are an angle apart."""
    return float(2 * np.sin(angle_arcsec / ARCSEC_PER_RADIAN / 2))


def order_along(index: Int64s, *ids: Int64s) -> npt.NDArray[np.intp]:
    """Order of rows by their spatial index and, where that is equal, by their ids, one by one.

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
    order[shared] = among[np.lexsort([key[among] for key in (*reversed(ids), index)])]
    return order
