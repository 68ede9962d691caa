"""Footprints are those of the existing pipeline; on real rows: tests/truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from pz_tsm_core.ops.footprints import DP1_FIELDS, in_dp1_fields, in_lsst_footprint


def lies(inside, ra, dec):
    return bool(inside(np.array([float(ra)]), np.array([float(dec)]))[0])


@pytest.mark.parametrize("name", DP1_FIELDS)
def test_a_field_of_dp1_reaches_two_and_a_half_degrees(name):
    centre = SkyCoord(*DP1_FIELDS[name], unit="deg")
    for angle in range(0, 360, 45):
        for degrees, expected in ((2.499, True), (2.501, False)):
            at = centre.directional_offset_by(angle * units.deg, degrees * units.deg)
            assert lies(in_dp1_fields, at.ra.deg, at.dec.deg) is expected


def test_the_border_is_a_degree_north_of_the_largest_declination_nearby():
    """By hand: at RA 90 the northernmost point of the border is at 32.0900, in the bin 90 to 90.5;
    its neighbours at 89.296875 and 90.703125 are at 32.7972. Between the middles of the bins,
    90.25 and 90.75, the limit rises from 33.0900 to 33.7972."""
    assert lies(in_lsst_footprint, 90.25, 33.0899)
    assert not lies(in_lsst_footprint, 90.25, 33.0901)
    assert lies(in_lsst_footprint, 90.5, 33.44)
    assert not lies(in_lsst_footprint, 90.5, 33.45)


def test_the_border_goes_on_across_right_ascension_0():
    """At 0 it is at 10.1999, at 359.296875 at 9.5941: halfway between the bins' middles."""
    limit = 1 + (10.19991809 * (360.0 - 359.25) + 9.59406823 * 0.25) / 1.0
    assert lies(in_lsst_footprint, 0.0, limit - 1e-6)
    assert not lies(in_lsst_footprint, 0.0, limit + 1e-6)
    assert lies(in_lsst_footprint, 360.0, limit - 1e-6)


def test_the_south_is_inside_everywhere_and_the_north_nowhere():
    ra = np.linspace(0, 360, 721)[:-1]
    assert in_lsst_footprint(ra, np.full(720, -60.0)).all()
    assert not in_lsst_footprint(ra, np.full(720, 60.0)).any()
