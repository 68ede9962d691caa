"""The sky on paper: from a place on the map to the place on the sky, and back.

Equal areas stay equal in both projections. East is to the left, as one sees the sky.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def mollweide_sky(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Right ascension and declination (deg) at a place of Mollweide's map; NaN outside of it.

    Snyder 1987, USGS Professional Paper 1395, p. 251. The map is 4 wide and 2 high, with
    ra 180 in the middle and both 0 and 360 at its rims.

    Parameters
    ----------
    x, y : from -2 to 2 and from -1 to 1, shape (...)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = np.arcsin(y)
        longitude = np.pi * x / (2 * np.cos(theta))
        latitude = np.arcsin((2 * theta + np.sin(2 * theta)) / np.pi)
    inside = (np.abs(longitude) <= np.pi) & np.isfinite(latitude)
    ra = np.where(inside, 180 - np.degrees(longitude), np.nan)
    return ra % 360, np.where(inside, np.degrees(latitude), np.nan)


def mollweide(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Place on Mollweide's map of positions in degrees, shape (...); inverse of `mollweide_sky`."""
    latitude = np.radians(dec)
    theta = latitude.copy()
    for _ in range(50):  # Newton's method, slow only next to the poles, where theta is latitude
        slope = 2 + 2 * np.cos(2 * theta)
        excess = 2 * theta + np.sin(2 * theta) - np.pi * np.sin(latitude)
        theta = theta - np.divide(excess, slope, out=np.zeros_like(theta), where=slope > 1e-9)
    longitude = np.radians(180 - ra)
    return 2 / np.pi * longitude * np.cos(theta), np.sin(theta)


def field_sky(x: Floats, y: Floats, ra: float, dec: float) -> tuple[Floats, Floats]:
    """Right ascension and declination (deg) at a place of a field's map.

    Lambert's azimuthal equal-area projection, Snyder 1987, p. 185.

    Parameters
    ----------
    x, y : degrees to the east and to the north of the centre, shape (...)
    ra, dec : of the centre, degrees
    """
    east, north = np.radians(x), np.radians(y)
    distance = np.hypot(east, north)
    angle = 2 * np.arcsin(np.clip(distance / 2, 0, 1))
    away = np.divide(np.sin(angle), distance, out=np.ones_like(distance), where=distance > 0)
    sin0, cos0 = np.sin(np.radians(dec)), np.cos(np.radians(dec))
    latitude = np.arcsin(np.clip(np.cos(angle) * sin0 + north * away * cos0, -1, 1))
    turn = np.arctan2(east * away, cos0 * np.cos(angle) - north * away * sin0)
    return (ra + np.degrees(turn)) % 360, np.degrees(latitude)
