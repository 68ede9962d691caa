"""What a configuration means: ids, flags, filters, ties and columns, in both layouts.

Expected values are worked out by hand from the description of the existing pipeline.
"""

from __future__ import annotations

import copy
import hashlib

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from tests.unit.crc.conftest import ARCSEC, NEWER_RULES

JUNE_COLUMNS = ["CRD_ID", "id", "ra", "dec", "z", "z_flag", "survey", "source", "tie_result",
                "is_in_rubin_footprint", "compared_to", "z_flag_homogenized",
                "instrument_type_homogenized", "group_id"]


def test_ids_count_the_rows_of_a_file_behind_the_digits_of_its_name(setup):
    assert setup.column("id") == {
        "CRD001_1": "101", "CRD001_2": "102", "CRD001_3": "103", "CRD001_4": "104",
        "CRD002_1": "a", "CRD002_2": "b", "CRD002_3": "c"}


def test_a_cut_does_not_change_the_ids_of_the_rows_that_are_left(setup):
    setup.param["z_flag_homogenized_value_to_cut"] = 3
    assert list(setup.column("id")) == ["CRD001_1", "CRD001_3", "CRD001_4", "CRD002_1",
                                        "CRD002_2", "CRD002_3"]


def test_columns_are_those_of_june_without_empty_ones(setup):
    assert setup.combine().column_names == JUNE_COLUMNS


def test_types_are_those_of_the_existing_pipeline(setup):
    kinds = {field.name: str(field.type) for field in setup.combine().schema}
    assert {name: kinds[name] for name in ("id", "z_flag", "tie_result", "group_id", "survey",
                                           "is_in_rubin_footprint", "z_flag_homogenized")} == {
        "id": "string", "z_flag": "double", "tie_result": "int8", "group_id": "int64",
        "survey": "string", "is_in_rubin_footprint": "int64", "z_flag_homogenized": "double"}


def test_ties_end_by_quality_then_instrument_then_redshift(setup):
    assert setup.column("tie_result") == {
        "CRD001_1": 1, "CRD002_1": 0,  # 4 before 3
        "CRD001_2": 1, "CRD001_3": 3,  # alone; a star
        "CRD001_4": 1, "CRD002_2": 0,  # 3 and 3, but s before g
        "CRD002_3": 1}


def test_equal_ranks_with_other_redshifts_are_tied(setup):
    setup.rules["instrument_type_priority"] = {"s": 3, "g": 3, "p": 1}
    ties = setup.column("tie_result")
    assert (ties["CRD001_4"], ties["CRD002_2"]) == (2, 2)


def test_who_is_near_is_told_in_the_order_of_texts(setup):
    setup.tables["two.parquet"]["ra"] = [10 + n * 0.1 * ARCSEC for n in range(1, 4)]
    setup.tables["two.parquet"]["dec"] = [0.0] * 3
    near = setup.column("compared_to")
    assert near["CRD001_1"] == "CRD002_1, CRD002_2, CRD002_3"
    assert near["CRD002_2"] == "CRD001_1, CRD002_1, CRD002_3"
    assert near["CRD001_2"] is None


def test_a_group_is_numbered_by_its_smallest_id_alone(setup):
    """Of July's code: blake2b with 8 bytes, big-endian, without the sign."""
    def number(text):
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") & (2**63 - 1)

    groups = setup.column("group_id")
    assert groups["CRD001_1"] == groups["CRD002_1"] == number("CRD001_1")
    assert groups["CRD001_4"] == groups["CRD002_2"] == number("CRD001_4")
    assert groups["CRD002_3"] == number("CRD002_3")


def test_the_smallest_id_is_that_of_texts_not_of_numbers(setup):
    """CRD001_10 comes before CRD001_2."""
    one = setup.tables["one.parquet"]
    for name, values in one.items():
        one[name] = [*values, *values, values[0], values[1]]
    one["RA"] = [*range(100, 108), 20.0, 20.0]
    one["RA"][1] = 20.0
    one["Q"], one["Z"] = [4] * 10, [0.5] * 10
    ties = setup.column("tie_result")
    assert {name: ties[name] for name in ("CRD001_10", "CRD001_2", "CRD001_9")} == {
        "CRD001_10": 1, "CRD001_2": 0, "CRD001_9": 0}


def test_a_star_is_near_others_and_of_no_group(setup):
    setup.tables["two.parquet"]["ra"][2] = 30.0
    rows = setup.rows()
    assert rows["CRD001_3"]["compared_to"] == "CRD002_3"
    assert (rows["CRD001_3"]["tie_result"], rows["CRD002_3"]["tie_result"]) == (3, 1)
    assert rows["CRD001_3"]["group_id"] != rows["CRD002_3"]["group_id"]


def test_concatenating_looks_for_nobody(setup):
    setup.param["combine_type"] = "concatenate"
    assert setup.combine().column_names == [
        name for name in JUNE_COLUMNS if name not in ("tie_result", "compared_to", "group_id")]


@pytest.mark.parametrize(("option", "kept"), [
    ("remove_all", {"CRD001_1", "CRD001_2", "CRD002_3"}),
    ("keep_all", {"CRD001_1", "CRD001_2", "CRD002_3", "CRD001_4", "CRD002_2"}),
    ("draw_one", {"CRD001_1", "CRD001_2", "CRD002_3", "CRD001_4"}),
])
def test_removing_duplicates_treats_ties_as_told_and_drops_stars(setup, option, kept):
    setup.rules["instrument_type_priority"] = {"s": 3, "g": 3, "p": 1}
    setup.param.update(combine_type="concatenate_and_remove_duplicates",
                       tie_treatment_option=option)
    ties = setup.column("tie_result")
    assert set(ties) == kept
    assert set(ties.values()) == ({1, 2} if option == "keep_all" else {1})


@pytest.mark.parametrize(("cut", "left"), [(0, 7), (None, 7), (2.5, 7), (7, 7), (3, 6), (6, 1)])
def test_a_cut_that_is_none_of_1_to_6_cuts_nothing(setup, cut, left, caplog):
    setup.param["z_flag_homogenized_value_to_cut"] = cut
    assert setup.combine().num_rows == left
    assert ("no row is cut" in caplog.text) is (cut in (2.5, 7))


def test_a_catalogue_of_which_nothing_is_left_is_excluded_with_a_warning(setup, caplog):
    setup.param["z_flag_homogenized_value_to_cut"] = 4
    assert set(setup.column("source").values()) == {"001_one"}
    assert "002_two: no row is left; the catalogue is excluded" in caplog.text


def test_a_catalogue_without_rows_is_excluded_too(setup, caplog):
    setup.tables["two.parquet"] = pa.table(setup.tables["two.parquet"]).slice(0, 0).to_pydict()
    assert set(setup.column("source").values()) == {"001_one"}
    assert "002_two" in caplog.text


def test_nothing_left_at_all_is_refused(setup):
    setup.tables["one.parquet"]["Q"] = [0, 1, 2, 3]
    setup.param["z_flag_homogenized_value_to_cut"] = 4
    with pytest.raises(TsmError) as caught:
        setup.combine()
    assert caught.value.codes == (Code.TABLE_EMPTY,)


@pytest.mark.parametrize(("column", "value"), [
    ("RA", 360.0), ("RA", -0.1), ("RA", float("nan")), ("RA", None), ("DEC", 90.5),
    ("DEC", float("inf"))])
def test_a_position_off_the_sphere_is_refused_with_its_id(setup, column, value):
    setup.tables["one.parquet"][column][2] = value
    with pytest.raises(TsmError, match=r"CRD001_3") as caught:
        setup.combine()
    assert caught.value.codes == (Code.POSITION_RANGE,)


def test_a_bad_position_that_was_cut_does_no_harm(setup):
    setup.tables["one.parquet"]["RA"][1] = 720.0
    setup.param["z_flag_homogenized_value_to_cut"] = 3
    assert setup.combine().num_rows == 6


def test_a_column_whose_name_is_taken_is_kept_for_rules(setup):
    setup.tables["one.parquet"]["z"] = [9.0, 0.0, 9.0, 9.0]
    setup.rules["translation_rules"]["ONE"]["z_flag_translation"]["conditions"] = [
        {"expr": "z__orig == 9", "value": 1}]
    assert setup.column("z_flag_homogenized")["CRD001_4"] == 1
    assert setup.column("z")["CRD001_4"] == 0.8


def test_extra_columns_come_in_their_types_from_before_the_mapping(setup):
    setup.tables["one.parquet"]["big"] = [2**62 + 1, 2, 3, 4]
    setup.tables["two.parquet"]["big"] = ["5", "x", None]
    setup.param["extra_columns"] = {
        "big": "int", "ID": "str", "kept": {"source": "Z", "type": "float"}, "none": "bool"}
    rows = setup.rows()
    assert [rows[id_]["big"] for id_ in ("CRD001_1", "CRD002_1", "CRD002_2")] == [2**62 + 1, 5,
                                                                                None]
    assert (rows["CRD001_1"]["ID"], rows["CRD001_2"]["kept"]) == ("101", 0.6)
    assert list(rows["CRD001_1"])[-4:] == ["big", "ID", "kept", "group_id"]  # `none` was empty


def test_columns_of_rules_are_saved_when_the_rule_file_says_so(setup):
    setup.tables["one.parquet"]["snr"] = [1, 2, 3, 4]
    setup.rules |= {"save_expr_columns": True, "expr_column_schema": {"snr": "float"}}
    setup.rules["translation_rules"]["ONE"]["z_flag_translation"]["conditions"] = [
        {"expr": "snr > 3", "value": 4}]
    saved = setup.column("snr")
    assert (saved["CRD001_4"], saved["CRD002_1"]) == (4.0, None)


def test_a_column_of_the_catalogues_can_decide_ties(setup):
    setup.rules["tiebreaking_priority"] = ["snr"]
    setup.tables["one.parquet"]["snr"] = [1, 2, 3, 4]
    setup.tables["two.parquet"]["snr"] = ["5", "bad", "7"]
    rows = setup.rows()
    assert (rows["CRD001_1"]["tie_result"], rows["CRD002_1"]["tie_result"]) == (0, 1)
    assert (rows["CRD001_4"]["tie_result"], rows["CRD002_2"]["tie_result"]) == (1, 0)
    assert list(rows["CRD001_1"])[-2:] == ["snr", "group_id"]


def test_an_earlier_product_comes_in_with_the_ids_of_its_rows_and_new_marks(setup):
    first = setup.combine()
    setup.tables["again.parquet"] = first.append_column(
        "CRD_ID_prev", first["CRD_ID"]).to_pydict()
    setup.config["inputs"]["specz"] = [{
        "path": "again.parquet", "internal_name": "007_again", "columns": {
            "id": "CRD_ID", "ra": "ra", "dec": "dec", "z": "z", "z_flag": "z_flag",
            "survey": "survey"}}]
    rows = setup.rows()
    assert [row["id"] for row in rows.values()] == first["id"].to_pylist()
    assert [row["tie_result"] for row in rows.values()] == first["tie_result"].to_pylist()
    assert rows["CRD007_1"]["compared_to"] == "CRD007_5"
    assert "CRD_ID_prev" not in rows["CRD007_1"]
    assert {row["source"] for row in rows.values()} == {"007_again"}


def newer(setup):
    setup.rules = copy.deepcopy(NEWER_RULES)
    setup.tables["one.parquet"]["Q"] = [4, 2, None, 3]
    setup.nest()
    return setup


def test_july_drops_stars_unless_told_to_keep_them(setup):
    newer(setup)
    assert "CRD001_3" not in setup.rows()
    setup.param["filters"]["object_type_homogenized"] = {"include_star": True}
    setup.tables["two.parquet"]["ra"][2] = 30.0
    rows = setup.rows()
    assert rows["CRD001_3"]["object_type_homogenized"] == "star"
    assert (rows["CRD001_3"]["tie_result"], rows["CRD002_3"]["tie_result"]) == (0, 1)
    assert rows["CRD001_3"]["group_id"] == rows["CRD002_3"]["group_id"]


def test_a_star_without_quality_beats_a_quality_of_0_and_loses_to_1(setup):
    """Of July's tests: an internal score of 0.5."""
    newer(setup)
    setup.param["filters"]["object_type_homogenized"] = {"include_star": True}
    setup.tables["two.parquet"]["ra"][2] = 30.0
    for quality, star in ((0, 1), (1, 0)):
        setup.rules["translation_rules"]["TWO"]["z_flag_translation"] = {"default": quality}
        assert setup.column("tie_result")["CRD001_3"] == star


@pytest.mark.parametrize(("switch", "gone"), [
    ("include_qso", {"CRD001_2"}), ("include_galaxy", {"CRD001_1"}),
    ("include_unclassified", {"CRD001_4", "CRD002_1", "CRD002_2", "CRD002_3"})])
def test_july_filters_by_object_type(setup, switch, gone):
    newer(setup)
    setup.param["filters"]["object_type_homogenized"] = {"include_star": True, switch: False}
    everything = {f"CRD001_{n}" for n in range(1, 5)} | {f"CRD002_{n}" for n in range(1, 4)}
    assert everything - set(setup.rows()) == gone


def test_july_filters_by_instrument(setup):
    newer(setup).param["filters"]["instrument_type_homogenized"] = {"include_grism": False}
    assert set(setup.column("source").values()) == {"001_one"}


def test_july_keeps_empty_columns_and_flags_no_footprint_unless_told(setup):
    newer(setup)
    names = setup.combine().column_names
    assert {"z_err", "instrument_type", "object_type_homogenized"} <= set(names)
    assert "is_in_rubin_footprint" not in names
    setup.param["output"] = {"insert_rubin_footprint_flag": True,
                             "insert_DP1_footprint_flag": "yes"}
    assert {"is_in_rubin_footprint", "is_in_DP1_fields"} <= set(setup.combine().column_names)


def test_july_cuts_at_1_to_4_only(setup, caplog):
    newer(setup).param["filters"]["z_flag_homogenized_value_to_cut"] = 6
    assert setup.combine().num_rows == 6
    assert "no row is cut" in caplog.text


def test_homogenized_columns_are_shown_always_never_or_where_they_decide(setup):
    newer(setup).param["output"]["homogenized_columns"] = {
        "z_flag_homogenized": "never", "instrument_type_homogenized": "auto",
        "object_type_homogenized": "auto"}
    setup.rules["tiebreaking_priority"] = ["z_flag_homogenized"]
    names = setup.combine().column_names
    assert "z_flag_homogenized" not in names
    assert "instrument_type_homogenized" not in names
    assert "object_type_homogenized" in names  # stars are filtered by it


def test_july_cuts_long_groups_around_their_best_member(setup):
    newer(setup)
    one = setup.tables["one.parquet"]
    one["RA"], one["Q"] = [10 + 0.45 * n * ARCSEC for n in range(4)], [4, 3, 2, 1]
    one["class"], one["Z"] = ["GALAXY"] * 4, [0.1, 0.2, 0.3, 0.4]
    setup.entries.pop()
    setup.rules["max_representative_radius_arcsec"] = 1.0
    assert setup.column("tie_result") == {"CRD001_1": 1, "CRD001_2": 0, "CRD001_3": 0,
                                          "CRD001_4": 1}
    groups = setup.column("group_id")
    assert groups["CRD001_1"] == groups["CRD001_3"] != groups["CRD001_4"]


def test_flat_keys_of_july_mean_what_the_nested_ones_mean(setup):
    newer(setup)
    nested = setup.combine()
    run = setup.param["run"]
    setup.config["param"] = {**run, "z_flag_homogenized_value_to_cut": 0.0,
                             "include_star_oth": False, "include_unclassified_ith": True}
    assert setup.combine().equals(nested)


def test_junes_rules_in_the_nested_layout_keep_their_stars(setup):
    setup.nest()
    assert setup.column("tie_result")["CRD001_3"] == 3


def test_the_two_layouts_break_chains_of_redshifts_by_their_own_rule(setup):
    one = setup.tables["one.parquet"]
    one["RA"], one["Q"] = [10.0] * 4, [4] * 4
    one["Z"] = [0.5, 0.5009, 0.5018, 0.5027]
    setup.entries.pop()
    assert list(setup.column("tie_result").values()) == [1, 0, 0, 0]
    setup.nest()
    assert list(setup.column("tie_result").values()) == [2, 0, 2, 0]
