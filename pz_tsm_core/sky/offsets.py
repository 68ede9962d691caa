"""Whether the positions of a survey lie beside those of the objects, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.sky.margin import Floats

#: Below that many pairs a median says little.
FEWEST = 20


class Offset(NamedTuple):
    """How far the objects lie from the positions of a survey.

    Parameters
    ----------
    east, north : medians in arcsec
    pairs : that they are of
    """

    east: float
    north: float
    pairs: int


def measure_offsets(
    ra: Floats, dec: Floats, object_ra: Floats, object_dec: Floats,
    survey: npt.NDArray[np.object_],
) -> dict[str, Offset]:
    """The median offset from positions to objects, for each survey of at least 20 pairs.

    Parameters
    ----------
    ra, dec, object_ra, object_dec : degrees, shape (n,); pairs of nearest neighbours
    survey : whose position it is, shape (n,)
    """
    east, north = SkyCoord(ra, dec, unit=u.deg).spherical_offsets_to(
        SkyCoord(object_ra, object_dec, unit=u.deg))
    found = {}
    for key in sorted(set(survey)):
        mine = survey == key
        if mine.sum() >= FEWEST:
            found[key] = Offset(_median(east[mine]), _median(north[mine]), int(mine.sum()))
    return found


def _median(offset: u.Quantity) -> float:
    return float(np.median(offset.to_value(u.arcsec)))


def moved(
    ra: Floats, dec: Floats, survey: npt.NDArray[np.object_], offsets: Mapping[str, Offset]
) -> tuple[Floats, Floats]:
    """Positions moved to where the objects of their survey are; others stay as they are."""
    ra, dec = ra.copy(), dec.copy()
    for key, offset in offsets.items():
        mine = survey == key
        there = SkyCoord(ra[mine], dec[mine], unit=u.deg).spherical_offsets_by(
            offset.east * u.arcsec, offset.north * u.arcsec)
        ra[mine], dec[mine] = there.ra.deg, there.dec.deg
    return ra, dec
