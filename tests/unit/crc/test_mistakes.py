"""What is wrong with a configuration is told all at once, with its line and the nearest word."""

from __future__ import annotations

import pytest

from pz_tsm_core import crc
from pz_tsm_core.errors import Code, TsmError


def problems(setup):
    """Place -> problem, of a configuration that is refused."""
    with pytest.raises(TsmError) as caught:
        setup.combine()
    return {problem.where.partition(": ")[2]: problem for problem in caught.value.problems}


def line_of(setup, text):
    lines = (setup.folder / "config.yaml").read_text().splitlines()
    return 1 + next(index for index, line in enumerate(lines) if text in line)


@pytest.mark.parametrize(("place", "value", "nearest"), [
    ("param.combine_type", "concatenate_and_mark", "`concatenate_and_mark_duplicates`"),
    ("param.tie_treatment_option", "keepall", "`keep_all`"),
    ("output_format", "fit", "`fits`"),
    ("executor.name", "slrm", "`slurm`"),
])
def test_a_wrong_word_is_told_with_its_line_and_the_nearest(setup, place, value, nearest):
    *path, key = place.split(".")
    part = setup.config
    for step in path:
        part = part[step]
    part[key] = value
    problem = problems(setup)[place]
    assert problem.found == f"'{value}'"
    assert nearest in problem.expected
    assert f"line {line_of(setup, f'{key}: {value}')}:" in problem.where


def test_words_may_be_in_any_case(setup):
    setup.param["combine_type"] = " Concatenate "
    setup.config["output_format"] = "PARQUET"
    assert setup.combine().num_rows == 7


def test_everything_is_told_at_once(setup):
    setup.config["output_formt"] = "fits"
    setup.config["output_name"] = "../crd"
    setup.config["output_dir"] = "../elsewhere"
    setup.param["combine_typ"] = "concatenate"
    setup.param["z_flag_homogenized_value_to_cut"] = "three"
    setup.param["extra_columns"] = {"x": "decimal", "z": "float", "y": {"src": "a", "type": "int"}}
    setup.entries[0]["internal_name"] = "one"
    setup.entries[0]["columns"]["z"] = "zz"
    setup.entries[1]["columns"]["zflag"] = "q"
    setup.entries.extend([{"path": "none.parquet", "internal_name": "002_two"},
                          {"path": "none.csv"}])
    setup.rules["translation_rules"]["ONE"]["z_flag_translation"]["conditions"] = [
        {"expr": "z ** 2 > 1", "value": 1}]
    found = problems(setup)
    assert {place.split(": ")[0] for place in found} >= {
        "output_formt", "output_name", "output_dir", "param.combine_typ",
        "param.z_flag_homogenized_value_to_cut", "param.extra_columns",
        "inputs.specz.0.internal_name", "inputs.specz.0.columns.z",
        "inputs.specz.1.columns.zflag", "inputs.specz.2.path", "inputs.specz.2.internal_name",
        "inputs.specz.3.path", "inputs.specz.3.internal_name"}
    assert Code.LEGACY_EXPRESSION in {problem.code for problem in found.values()}
    assert found["param.combine_typ"].remedy == "did you mean `combine_type`?"
    assert found["inputs.specz.2.internal_name"].code is Code.ID_COLLISION
    told = found["param.extra_columns"].expected
    assert all(word in told for word in ("decimal", "z:", "did you mean `source`?"))


def test_unknown_keys_under_a_nested_param_are_mistakes(setup):
    setup.nest()
    setup.param["filter"] = {}
    setup.param["run"]["combine"] = "concatenate"
    setup.param["filters"]["object_type_homogenized"] = {"include_stars": True}
    found = problems(setup)
    assert found["param.filter"].remedy == "did you mean `filters`?"
    assert found["param.run.combine"].remedy == "did you mean `combine_type`?"
    place = "param.filters.object_type_homogenized.include_stars"
    assert found[place].remedy == "did you mean `include_star`?"


def test_a_flat_key_beside_nested_ones_is_a_mistake(setup):
    setup.nest()
    setup.param["combine_type"] = "concatenate"
    assert set(problems(setup)) == {"param.combine_type"}


def test_a_group_of_switches_that_are_all_off_is_a_mistake(setup):
    setup.nest()
    setup.param["filters"]["instrument_type_homogenized"] = {
        f"include_{kind}": False
        for kind in ("spectroscopic", "grism", "photometric", "unclassified")}
    assert set(problems(setup)) == {"param.filters.instrument_type_homogenized"}


def test_keys_that_nobody_knows_are_passed_over_in_the_flat_layout_with_a_warning(setup, caplog):
    setup.config["comment"] = setup.param["quux"] = setup.entries[0]["remark"] = "x"
    assert setup.combine().num_rows == 7
    assert [key in caplog.text for key in ("comment", "quux", "remark")] == [True] * 3


@pytest.mark.parametrize("text", [
    "", "- 1\n", "a: [1,\n", "inputs: 3\nparam: 4\n", "inputs: {specz: []}\nparam: {run: 3}\n",
    "inputs: {specz: [1, {path: 3, columns: 4}]}\nparam: {flags_translation_file: 3}\n",
    "inputs: {specz: [{columns: {id: [1]}, internal_name: 4}]}\nparam: []\n",
])
def test_a_file_of_another_shape_is_refused_by_name(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(TsmError) as caught:
        crc.load_plan(path)
    assert set(caught.value.codes) == {Code.LEGACY_CONFIG}


def test_columns_that_a_catalogue_lacks_are_told_for_every_catalogue(setup):
    setup.entries[0]["columns"].update(ra="ra", z_flag="QQ")
    setup.entries[1]["columns"]["dec"] = "DEC"
    found = problems(setup)
    assert set(found) == {"inputs.specz.0.columns.ra", "inputs.specz.0.columns.z_flag",
                          "inputs.specz.1.columns.dec"}
    assert found["inputs.specz.0.columns.ra"].remedy == "did you mean `RA`?"


def test_a_position_must_be_mapped_or_there(setup):
    setup.entries[0]["columns"].update(ra=None)
    assert set(problems(setup)) == {"inputs.specz.0.columns.ra"}
    setup.entries[0]["columns"]["ra"] = "RA"
    setup.entries[1]["columns"] = {"survey": "survey"}  # its columns have the standard names
    assert setup.combine().num_rows == 7


def test_a_survey_without_rules_is_told_with_the_nearest(setup):
    """As test_configs/config.test.survey_not_supported.yaml of the existing pipeline."""
    setup.tables["two.parquet"]["survey"] = ["TW0"] * 3
    with pytest.raises(TsmError) as caught:
        setup.combine()
    assert set(caught.value.codes) == {Code.LEGACY_SURVEY}
    assert caught.value.problems[0].remedy == "did you mean `TWO`?"
    assert f"line {line_of(setup, 'two.parquet')}: inputs.specz.1 (002_two)" in (
        caught.value.problems[0].where)


def test_a_catalogue_without_surveys_is_told_so(setup):
    """As test_configs/config.test.survey_col_missing.yaml."""
    setup.entries[0]["columns"]["survey"] = None
    assert problems(setup)["inputs.specz.0.columns.survey"].expected.startswith("the survey")


def test_flags_that_no_rule_knows_are_told(setup):
    """As test_configs/config.test.survey_supported_but_wrong_flags.yaml."""
    setup.tables["one.parquet"]["Q"] = [11, 12, 13, 14]
    found = problems(setup)
    assert found["inputs.specz.0 (001_one): column z_flag_homogenized"].found == (
        "no row with a value")


def test_homogenized_values_out_of_their_range_are_told(setup):
    """As test_configs/config.test.homogenized_columns_out_of_range.yaml."""
    setup.tables["one.parquet"]["z_flag_homogenized"] = [4, 7, 2, 9]
    setup.entries[0]["columns"]["z_flag"] = "z_flag_homogenized"
    problem, = problems(setup).values()
    assert problem.code is Code.VALUE_RANGE
    assert "2 values such as [7.0, 9.0]" in problem.found


def test_a_wrong_column_that_breaks_a_thousand_rules_is_told_in_few_lines(setup):
    setup.tables["one.parquet"] = {
        name: values * 100 for name, values in setup.tables["one.parquet"].items()}
    setup.tables["one.parquet"]["name"] = [f"S{n}" for n in range(400)]
    with pytest.raises(TsmError) as caught:
        setup.combine()
    assert len(caught.value.problems) < 10
    assert caught.value.problems[-1].found == "792 more mistakes"


def test_the_rule_file_must_say_how_ties_are_decided(setup):
    del setup.rules["tiebreaking_priority"]
    assert set(problems(setup)) == {"tiebreaking_priority"}
    setup.param["combine_type"] = "concatenate"
    assert setup.combine().num_rows == 7


def test_instruments_must_be_ranked_where_they_decide(setup):
    del setup.rules["instrument_type_priority"]
    setup.rules["tiebreaking_priority"] *= 2
    with pytest.raises(TsmError) as caught:
        setup.combine()
    assert [problem.where for problem in caught.value.problems] == [
        "rules.yaml: tiebreaking_priority", "rules.yaml: tiebreaking_priority",
        "rules.yaml: instrument_type_priority"]


def test_a_column_that_decides_ties_must_be_in_every_catalogue(setup):
    setup.rules["tiebreaking_priority"] = ["snr"]
    setup.tables["one.parquet"]["snr"] = ["x", "y", "z", None]
    found = problems(setup)
    assert {place: problem.code for place, problem in found.items()} == {
        "inputs.specz.0 (001_one): tiebreaking_priority: snr": Code.TABLE_COLUMN_TYPE,
        "inputs.specz.1 (002_two): tiebreaking_priority: snr": Code.TABLE_MISSING_COLUMN}


def test_a_quality_that_no_row_has_decides_nothing(setup):
    """July lets a catalogue be without; all of them must not."""
    setup.nest()
    for survey in setup.rules["translation_rules"].values():
        survey["z_flag_translation"] = {"source": "Q", "default": None}
        survey["object_type_translation"] = {}
    assert set(problems(setup)) == {"tiebreaking_priority: z_flag_homogenized"}


def test_removing_duplicates_of_nothing_but_stars_is_refused(setup):
    setup.param.update(combine_type="concatenate_and_remove_duplicates",
                       z_flag_homogenized_value_to_cut=6)
    with pytest.raises(TsmError, match="stars are never kept"):
        setup.combine()


def test_executors_are_read_leniently(setup):
    setup.config["executor"] = {"name": "slurm", "args": {
        "instance": {"cores": 2, "memory": "20GB"}, "scale": {"minimum_jobs": 3}}}
    assert setup.combine().num_rows == 7
    del setup.config["executor"]
    assert setup.combine().num_rows == 7
