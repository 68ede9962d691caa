"""Which positions lie in a footprint: the fields of DP1, and the sky that LSST observes.

Both are drawn as the existing pipeline draws them (`packages/specz.py` in
linea-it/pzserver_combine_redshift_dedup), so that flags agree with products made there.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from pz_tsm_core.sphere import Floats, separation_arcsec

Truths = npt.NDArray[np.bool_]

#: Centres of the fields of Data Preview 1: RA, Dec in degrees.
DP1_FIELDS = {
    "47 Tuc": (6.02, -72.08), "Rubin SV 38 7": (37.86, 6.98), "Fornax dSph": (40.00, -34.45),
    "ECDFS": (53.13, -28.10), "EDFS": (59.10, -48.73), "Rubin SV 95 -25": (95.00, -25.00),
    "Seagull": (106.23, -10.51),
}
DP1_RADIUS_DEG = 2.5

#: Steps of the border in RA, over which its largest declination counts.
_BIN_DEG = 0.5
#: How far beyond the border still counts.
_MARGIN_DEG = 1.0
#: Between the pixels of one run of the border's file.
_STEP_DEG = 1.40625


def in_dp1_fields(ra: Floats, dec: Floats) -> Truths:
    """Whether each position (degrees, shape (n,)) is at most 2.5 degrees from a field of DP1."""
    inside = np.zeros(len(ra), dtype=bool)
    for centre in DP1_FIELDS.values():
        field_ra, field_dec = (np.full(len(ra), value) for value in centre)
        inside |= separation_arcsec(ra, dec, field_ra, field_dec) <= DP1_RADIUS_DEG * 3600
    return inside


def in_lsst_footprint(ra: Floats, dec: Floats) -> Truths:
    """Whether each position (degrees, shape (n,)) lies south of the border of the survey.

    The border's largest declination in each half degree of RA, one degree added, is interpolated
    between the middles of these steps, across RA 0 as well.
    """
    at, limit = _northern_limit()
    return np.asarray(dec <= np.interp(np.mod(ra, 360.0), at, limit), dtype=bool)


@cache
def _northern_limit() -> tuple[Floats, Floats]:
    """Right ascensions from -360 to 720 degrees, and the largest declination at each."""
    ra, dec = _border()
    step, code = np.unique(np.floor(ra / _BIN_DEG), return_inverse=True)
    highest = np.full(len(step), -np.inf)
    np.maximum.at(highest, code, dec)
    middle = step * _BIN_DEG + _BIN_DEG / 2
    return (np.concatenate([middle - 360, middle, middle + 360]),
            np.tile(highest + _MARGIN_DEG, 3))


def _border() -> tuple[Floats, Floats]:
    """Points of the border, as runs of pixels along a parallel give them."""
    text = files("pz_tsm_core.ops").joinpath("lsst_border.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    points = [
        (ra, float(row["dec"]))
        for row in rows
        for ra in np.arange(float(row["ra_first"]), float(row["ra_last"]) + _STEP_DEG / 2,
                            _STEP_DEG)
    ]
    border = np.array(points)
    return border[:, 0], border[:, 1]
