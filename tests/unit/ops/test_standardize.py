"""From native tables to standard columns: the account of every row, and every refusal."""

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from cdshealpix import lonlat_to_healpix

from pz_tsm_core.api import own_survey
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.native_columns import SurveyColumns
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.surveys import get_survey

SURVEY = get_survey("6dfgs")


def table(**columns):
    rows = {"SPECID": [1, 2, 3, 4], "RA_deg": [0.0, 10.0, 359.9, 20.0],
            "DEC_deg": [-90.0, 0.0, 90.0, -5.0], "Z": [0.1, 0.2, 0.3, 0.4], "QUALITY": [4, 3, 2, 6]}
    return pa.table({**rows, **columns})


def refusal(native, **options):
    with pytest.raises(TsmError) as caught:
        standardize(native, SURVEY, **options)
    return caught.value


def test_the_result_has_exactly_the_standard_columns_and_an_id_for_every_row():
    result = standardize(table(extra=["x"] * 4), SURVEY).table
    assert result.schema.equals(MEASUREMENT_SCHEMA, check_metadata=True)
    result.validate(full=True)
    ids = result["row_id"].to_numpy()
    assert len(set(ids)) == 4
    assert (ids >= 0).all()


def test_the_result_is_sorted_along_the_sphere_and_at_one_place_by_id():
    rng = np.random.default_rng(1)
    ra, dec = rng.choice([0.0, 10.0, 359.9], 300), rng.choice([-90.0, -89.9, 0.0, 60.0, 90.0], 300)
    native = pa.table({"SPECID": range(300), "RA_deg": ra, "DEC_deg": dec, "Z": [0.1] * 300,
                       "QUALITY": [4] * 300})
    rows = standardize(native, SURVEY).table.select(["ra", "dec", "row_id"]).to_pylist()
    along = lonlat_to_healpix(Longitude([row["ra"] for row in rows], u.deg),
                              Latitude([row["dec"] for row in rows], u.deg), 29)
    placed = [(cell, row["row_id"]) for cell, row in zip(along.tolist(), rows, strict=True)]
    assert placed == sorted(placed)
    assert len(set(along.tolist())) == 13  # at a pole, ra of 0 and 10 degrees lie in one cell


def test_every_row_is_in_the_result_or_in_one_reason():
    native = table(Z=[0.1, None, np.nan, np.inf])
    assert standardize(native, SURVEY).rows.dropped == {"no_redshift": 3}
    native = table(Z=[-9.999, 8.0, -0.02, 0.4], RA_deg=[np.nan, 400.0, 3.0, 4.0])
    rows = standardize(native, SURVEY, bad_positions="drop").rows
    assert rows.dropped == {"no_position": 1, "position_out_of_range": 1,
                            "redshift_out_of_range": 1}
    assert (rows.taken, rows.given) == (4, 1)
    assert rows.taken == rows.given + sum(rows.dropped.values())


def test_an_integer_and_a_float32_column_know_their_sentinels():
    assert standardize(table(Z=pa.array([0.1, -9.999, 0, 0], pa.float32())), SURVEY
                       ).rows.dropped == {"no_redshift": 1}
    survey = get_survey("2dfgrs")
    native = pa.table({"name": ["a", "b"], "ra_j2000_deg": [1, 2], "dec_j2000_deg": [1, 2],
                       "z": pa.array([-9, 0], pa.int32()), "quality": [1, 5]})
    assert standardize(native, survey).rows.dropped == {"no_redshift": 1}


def test_every_rule_is_counted_also_when_it_never_fires():
    assert standardize(table(QUALITY=[4, 4, 6, 9]), SURVEY).rule_hits == {
        "quality: QUALITY == 1": 0, "quality: QUALITY == 2": 0, "quality: QUALITY == 3": 0,
        "quality: QUALITY == 4": 2, "quality: QUALITY == 6": 1, "quality: otherwise": 1,
        "object_class: QUALITY == 6": 1, "object_class: otherwise": 3,
        "instrument_type: otherwise": 4}


def test_all_bad_positions_are_refused_at_once_with_their_rows():
    native = table(RA_deg=[360.0, -1.0, np.nan, 20.0], DEC_deg=[0.0, 0.0, 0.0, None])
    error = refusal(native)
    assert error.codes == (Code.POSITION_MISSING, Code.POSITION_RANGE)
    assert "2 of 4 rows" in error.problems[0].found
    assert "row 2 (nan, 0)" in error.problems[0].found
    assert "row 0 (360, 0), row 1 (-1, 0)" in error.problems[1].found
    dropped = standardize(native, SURVEY, bad_positions="drop").rows.dropped
    assert dropped == {"no_position": 2, "position_out_of_range": 2}


@pytest.mark.parametrize("dec", [-90.001, 91.0, 1e300, np.inf])
def test_a_declination_beyond_the_poles_is_refused(dec):
    assert len(refusal(table(DEC_deg=[dec, 0.0, 0.0, 0.0])).codes) == 1


def test_all_missing_columns_are_told_with_the_nearest():
    native = table().drop_columns(["Z", "QUALITY"]).append_column("z", pa.array([1.0] * 4))
    native = native.append_column("QUALITTY", pa.array([1] * 4))
    error = refusal(native)
    assert error.codes == (Code.TABLE_MISSING_COLUMN,) * 2
    assert "QUALITTY" in error.problems[0].remedy


def test_columns_of_a_wrong_type_are_all_told():
    error = refusal(table(Z=["a"] * 4, RA_deg=["b"] * 4, QUALITY=["x"] * 4))
    assert error.codes.count(Code.TABLE_COLUMN_TYPE) == 2
    assert error.codes.count(Code.RULE_TYPE) == 1  # six rules read the column; it is told once


def test_a_doubled_column_is_refused():
    native = table()
    doubled = pa.table([*native.columns, native["Z"]], names=[*native.column_names, "Z"])
    assert refusal(doubled).codes == (Code.TABLE_DUPLICATE_COLUMN,)


def test_a_table_without_rows_and_one_without_redshifts_give_none():
    assert len(standardize(table().slice(0, 0), SURVEY).table) == 0
    nothing = standardize(table(Z=pa.nulls(4)), SURVEY)
    assert nothing.rows.dropped == {"no_redshift": 4}
    assert len(nothing.table) == 0


def test_chunks_slices_and_other_spellings_of_a_type_change_nothing():
    expected = standardize(table(), SURVEY).table
    pieces = pa.concat_tables([table().slice(i, 1) for i in range(4)])
    assert standardize(pieces, SURVEY).table.equals(expected)
    wide = table(QUALITY=pa.array([4, 3, 2, 6], pa.float64()),
                 SPECID=pa.array(["1", "2 ", "3", "4"], pa.large_string()))
    assert standardize(wide, SURVEY).table.equals(expected)


def with_numbers_beside(**columns):
    columns = SURVEY.columns.model_dump(mode="json", by_alias=True, exclude_defaults=True) | columns
    return SURVEY.model_copy(update={"columns": SurveyColumns.model_validate(columns)})


@pytest.mark.parametrize(("unit", "arcsec"), [("arcsec", 1.0), ("deg", 3600.0), ("mas", 0.001)])
def test_numbers_beside_that_make_no_sense_are_null_and_errors_are_in_arcsec(unit, arcsec):
    survey = with_numbers_beside(pos_err={"from": "e", "unit": unit, "nulls": [99]},
                                 snr={"from": "sn", "cast": "number", "nulls": ["none"]})
    native = pa.table({
        "SPECID": range(6), "RA_deg": np.arange(6.0), "DEC_deg": np.zeros(6),
        "Z": np.full(6, 0.1), "QUALITY": [4] * 6,
        "e": [0.5, None, np.nan, np.inf, -1.0, 99.0], "sn": ["7.5", "none", "-1", "0", "", None],
    })
    rows = standardize(native, survey).table.sort_by("native_id")
    assert rows["pos_err"].to_pylist() == [0.5 * arcsec, None, None, None, None, None]
    assert rows["snr"].to_pylist() == [7.5, None, None, 0.0, None, None]


def test_numbers_beside_that_no_definition_names_are_null():
    rows = standardize(table(), SURVEY).table
    assert rows["pos_err"].null_count == rows["snr"].null_count == 4
    assert set(rows["year"].to_pylist()) == {SURVEY.year}
    assert set(rows["survey_rank"].to_pylist()) == {SURVEY.rank}


def test_a_number_beside_of_a_wrong_type_or_unit_is_told():
    survey = with_numbers_beside(pos_err={"from": "e"}, snr={"from": "sn"})
    with pytest.raises(TsmError) as caught:
        standardize(table(e=["a"] * 4, sn=["b"] * 4), survey)
    assert caught.value.codes == (Code.TABLE_COLUMN_TYPE,) * 2
    native = table(e=[1.0] * 4, sn=[1.0] * 4)
    place = native.schema.get_field_index("e")
    marked = native.schema.field("e").with_metadata({"unit": "mas"})
    with pytest.raises(TsmError) as caught:
        standardize(native.set_column(place, marked, native["e"]), survey)
    assert caught.value.codes == (Code.TABLE_UNIT,)


def test_a_users_table_has_numbers_beside_and_the_year_that_it_states_or_none():
    native = pa.table({"RA": [1.0], "DEC": [2.0], "Z": [0.5], "e": [0.1], "sn": [3.0]})
    columns = {"ra": "RA", "dec": "DEC", "z": "Z"}
    plain = standardize(native, own_survey("mine", **columns)).table
    survey = own_survey("mine", **columns, pos_err="e", snr="sn", year=2026)
    told = standardize(native, survey).table
    names = ["pos_err", "snr", "year", "survey_rank"]
    assert plain.select(names).to_pylist() == [
        {"pos_err": None, "snr": None, "year": None, "survey_rank": 0}]
    assert told.select(names).to_pylist() == [
        {"pos_err": 0.1, "snr": 3.0, "year": 2026, "survey_rank": 0}]
    assert told["row_id"].equals(plain["row_id"])
