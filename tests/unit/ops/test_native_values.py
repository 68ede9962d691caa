"""Native columns as redshifts and positions, against astropy's own conversions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import constants
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.native_columns import NumberColumn, SurveyColumns
from pz_tsm_core.ops.native_values import numbers, positions


def column(**keys):
    return NumberColumn.model_validate(keys)


def columns(ra, dec, **keys):
    return SurveyColumns.model_validate({"ra": ra, "dec": dec, "z": {"from": "z"}, **keys})


def test_a_velocity_is_divided_by_the_speed_of_light():
    table = pa.table({"cz": pa.array([29979, None, -9999, 0], pa.int32())})
    found = numbers(table, column(**{"from": "cz", "unit": "km/s", "nulls": [-9999]}), None)
    expected = (29979 * u.km / u.s / constants.c).to_value(u.one)
    np.testing.assert_allclose(found, [expected, np.nan, np.nan, 0], rtol=1e-15)


def test_of_several_columns_the_first_that_counts_is_taken():
    table = pa.table({"spec": [0.5, -99.0, None, -99.0, 40.0], "phot": [0.6, 0.7, 0.8, -99.0, 0.9]})
    found = numbers(table, column(first_of=["spec", "phot"], nulls=[-99], valid=[-0.01, 15]), None)
    np.testing.assert_array_equal(found, [0.5, 0.7, 0.8, np.nan, 0.9])


def test_text_that_is_declared_to_hold_numbers_becomes_them():
    table = pa.table({"z": [" 0.5", "--", "", None, "1e-3", "-.25"]})
    found = numbers(table, column(**{"from": "z", "cast": "number", "nulls": ["--"]}), None)
    np.testing.assert_array_equal(found, [0.5, np.nan, np.nan, np.nan, 1e-3, -0.25])


def test_text_that_is_no_number_is_refused_with_its_words():
    table = pa.table({"z": ["0.5", "bad", "0.1.2", "nan?"]})
    with pytest.raises(TsmError, match=r"`bad`.*`0\.1\.2`") as refused:
        numbers(table, column(**{"from": "z", "cast": "number"}), None)
    assert refused.value.codes == (Code.TABLE_COLUMN_TYPE,)


RA = ["00 00 00.0", "10:09:49.69", " 23h59m59.99s ", None]
DEC = ["-00 00 30.5", "-04:46:56.3", "+89d59m59.9s", ""]


def test_sexagesimal_text_is_read_as_astropy_reads_it():
    found = positions(pa.table({"a": RA, "d": DEC}), columns(
        {"from": "a", "unit": "hms"}, {"from": "d", "unit": "dms"}))
    expected = SkyCoord([t.strip() for t in RA[:3]], DEC[:3], unit=(u.hourangle, u.deg))
    np.testing.assert_allclose(found[0][:3], expected.ra.deg, atol=1e-12)
    np.testing.assert_allclose(found[1][:3], expected.dec.deg, atol=1e-12)
    assert np.isnan(found[0][3])
    assert np.isnan(found[1][3])


def test_text_that_is_no_angle_is_refused():
    table = pa.table({"a": ["10 09 49", "ten"], "d": ["0 0 0", "0 0 0"]})
    with pytest.raises(TsmError, match=r"table\.column-type.*column a"):
        positions(table, columns({"from": "a", "unit": "hms"}, {"from": "d", "unit": "dms"}))


def test_parts_of_an_angle_carry_their_sign():
    table = pa.table({"h": [0, 10, 23], "m": [0, 9, 59], "s": [0.0, 49.69, 59.99],
                      "sign": ["-", "- ", "+"], "dd": [0, 4, 45], "dm": [0, 46, 0],
                      "ds": [30.5, 56.3, 0.0], "whole": [-0.0, -4.0, 45.0]})
    expected = SkyCoord(["0 0 0", "10 9 49.69", "23 59 59.99"],
                        ["-0 0 30.5", "-4 46 56.3", "45 0 0"], unit=(u.hourangle, u.deg))
    ra = {"parts": ["h", "m", "s"], "unit": "hms"}
    for parts in (["sign", "dd", "dm", "ds"], ["whole", "dm", "ds"]):
        found = positions(table, columns(ra, {"parts": parts, "unit": "dms"}))
        np.testing.assert_allclose(found[0], expected.ra.deg, atol=1e-12)
        np.testing.assert_allclose(found[1], expected.dec.deg, atol=1e-12)


def test_hours_as_numbers_are_fifteen_degrees_each():
    found = positions(pa.table({"a": [1.5], "d": [-3]}),
                      columns({"from": "a", "unit": "hour"}, {"from": "d", "unit": "deg"}))
    assert (found[0][0], found[1][0]) == (22.5, -3.0)


def test_positions_of_b1950_become_those_that_2dfgrs_publishes_for_j2000(shared_data):
    """It publishes both, rounded to 0.01 s and 0.1 arcsec; signs of -0 degrees are lost there."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = shared_data / "specz" / "2dfgrs_final_release_random_sample.parquet"
    table = pq.read_table(file).filter(pc.field("dec_b1950_d") != 0)
    old = positions(table, columns({"from": "ra_b1950_deg", "unit": "deg"},
                                   {"from": "dec_b1950_deg", "unit": "deg"},
                                   frame="fk4", epoch=2000))
    new = SkyCoord(table["ra_j2000_deg"].to_numpy(), table["dec_j2000_deg"].to_numpy(), unit="deg")
    separation = SkyCoord(*old, unit="deg").separation(new).arcsec
    assert len(table) > 800
    assert np.median(separation) < 0.1
    assert separation.max() < 0.3
