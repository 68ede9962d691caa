"""Tables homogenized by an old rule file: the routes, the letter of its semantics, the refusals."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.legacy import Output, Route, homogenize, parse_rule_file

Z, TYPE, OBJECT = "z_flag_homogenized", "instrument_type_homogenized", "object_type_homogenized"


def rules(survey_rules, *, head=""):
    """A rule file with these blocks for the survey TWO."""
    lines = "\n".join("    " + line for line in survey_rules.strip().splitlines())
    return parse_rule_file(f"{head}\ntranslation_rules:\n  Two:\n{lines}\n", "rules.yaml")


def conditions(*pairs, default="0"):
    """A block of conditions for z_flag, and instrument type s."""
    listed = "".join(f"\n  - {{expr: {text!r}, value: {value}}}" for text, value in pairs)
    return rules(f"z_flag_translation:\n  default: {default}\n  conditions:{listed}\n"
                 "instrument_type_translation: {default: s}")


def table(**columns):
    rows = len(next(iter(columns.values())))
    return pa.table({"survey": [" two "] * rows, **columns})


def flags(rule_file, data, columns=None, **options):
    return homogenize(data, columns or {}, rule_file, **options).table[Z].to_pylist()


MAP = rules("""
z_flag_translation: {1: 0, "3.0": 3, 3.5: 3, 4: 4, 9: null, default: 1}
instrument_type_translation: {default: s}
""")


def test_flags_are_mapped_by_their_numbers_whatever_their_type():
    expected = [0.0, 3.0, 4.0, 1.0, 1.0]
    for values in ([1, 3, 4, 9, None], [1.0, 3.0, 4.0, 2.0, math.nan],
                   ["1", " 3.0 ", "+4", "9.00", None]):
        assert flags(MAP, table(z_flag=values)) == expected
    assert flags(MAP, table(z_flag=pa.array([Decimal("3.5"), None]))) == [3.0, 1.0]
    assert flags(MAP, table(z_flag=pa.array([True, False]))) == [0.0, 1.0]


def test_a_flag_that_no_rule_mentions_is_null_without_a_default_and_counted():
    rule_file = rules("z_flag_translation: {1: 4}\ninstrument_type_translation: {default: s}")
    done = homogenize(table(z_flag=[1, 2, 2, 7, None]), {}, rule_file)
    assert done.table[Z].to_pylist() == [4.0, None, None, None, None]
    survey, = done.accounts[Output.Z_FLAG].surveys
    assert survey.unmentioned == {"2": 2, "7": 1, "null": 1}
    assert [(c.rule, c.outcome, c.rows) for c in survey.counts] == [
        ("z_flag == 1", 4.0, 1), ("default", None, 4)]
    assert survey.at_default == 4


def test_default_then_values_then_conditions_and_the_last_wins():
    rule_file = rules("""
z_flag_translation:
  conditions:
    - {expr: z_flag >= 2, value: 2}
    - {expr: z_flag >= 3, value: 3}
    - {expr: z_flag == 4, value: 2}
  2: 4
  1: 1
  default: 0
instrument_type_translation: {default: s}
""")
    done = homogenize(table(z_flag=[0, 1, 2, 3, 4]), {}, rule_file)
    assert done.table[Z].to_pylist() == [0.0, 1.0, 2.0, 3.0, 2.0]
    counts = done.accounts[Output.Z_FLAG].surveys[0].counts
    assert [c.rows for c in counts] == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("expression", "parquet", "others"), [
    # native numbers from Parquet: numpy's NaN is unlike everything
    ("raw != 1", [False, True, True], [False, True, False]),
    ("raw == 1", [True, False, False], [True, False, False]),
    ("not raw == 1", [False, True, True], [False, True, False]),
    ("not raw > 0", [False, False, True], [False, False, False]),
    ("not np.isfinite(raw)", [False, False, True], [False, False, False]),
    ("np.isnan(raw)", [False, False, True], [False, False, False]),
    ("pd.isna(raw)", [False, False, True], [False, False, True]),
    ("not raw.isin([1])", [False, True, True], [False, True, True]),
    ("np.trunc(raw) != 1", [False, True, True], [False, True, False]),
    ("float(raw) != 1", [False, True, False], [False, True, False]),
    # columns that are converted: NA
    ("z_err != 1", [False, True, False], [False, True, False]),
    ("not z_err == 1", [False, True, False], [False, True, False]),
    ("not np.isfinite(z_err)", [False, False, True], [False, False, True]),
    ("np.trunc(z_err) != 1", [False, True, True], [False, True, True]),
    ("np.abs(z_err) != 1", [False, True, False], [False, True, False]),
    ("raw != z_err", [False, False, False], [False, False, False]),
    # texts as well
    ("word != 'x'", [False, True, False], [False, True, False]),
    ("not word == 'x'", [False, True, False], [False, True, False]),
    ("not word.str.contains('x')", [False, True, False], [False, True, False]),
    ("not word.str.contains('x', na=False)", [False, True, True], [False, True, True]),
    # truth values
    ("yes != True", [False, True, True], [False, True, False]),
    ("not yes == True", [False, True, True], [False, True, False]),
    ("yes", [True, False, False], [True, False, False]),
])
def test_what_is_missing_is_treated_as_pandas_treats_it(expression, parquet, others):
    data = table(raw=[1.0, 2.0, None], z_err=[1.0, 2.0, None], word=["x", "y", None],
                 yes=[True, False, None])
    rule_file = conditions((expression, 4))
    assert flags(rule_file, data) == [4.0 * holds for holds in parquet]
    assert flags(rule_file, data, nullable=True) == [4.0 * holds for holds in others]


def test_survey_names_have_no_case_on_either_side():
    data = pa.table({"survey": ["two", "TWO ", " Two"], "z_flag": [4, 4, 1]})
    assert flags(MAP, data) == [4.0, 4.0, 0.0]


def test_expressions_read_columns_by_their_new_names():
    data = table(z=[9.0, 9.0], redshift=[0.5, 2.5], q=[1, 1])
    columns = {"z": "redshift", "z_flag": "q", "z_err": None, "id": ""}
    done = homogenize(data, columns, conditions(("z < 1 and z__orig == 9 and z_flag == 1", 4)))
    assert done.table[Z].to_pylist() == [4.0, 0.0]
    assert done.table["z"].to_pylist() == [0.5, 2.5]
    assert {"z__orig", "z_flag"} < set(done.table.column_names)
    assert not {"redshift", "q"} & set(done.table.column_names)
    with pytest.raises(TsmError) as caught:
        homogenize(data, columns, conditions(("redshif < 1", 4)))
    assert caught.value.codes == (Code.RULE_COLUMN,)


def test_letters_of_jades_and_words_of_vimos_are_numbers():
    rule_file = parse_rule_file("""
translation_rules:
  JADES: {z_flag_translation: {4: 4, 3: 3, 0: 0}, instrument_type_translation: {default: s}}
  VIMOS: {z_flag_translation: {4: 4, 3: 3, 1: 1, 0: 0},
          instrument_type_translation: {default: s}}
""", "rules.yaml")
    data = pa.table({"survey": ["jades"] * 4 + ["vimos"] * 4,
                     "z_flag": ["a", " B", "E", "4", "mr_a", "LRB_B", "MR_X", "A"]})
    done = homogenize(data, {}, rule_file)
    assert done.table[Z].to_pylist() == [4.0, 3.0, 0.0, 4.0, 4.0, 1.0, 0.0, None]
    assert dict(done.unread) == {"A": 1}


def test_letters_of_another_survey_are_refused():
    with pytest.raises(TsmError) as caught:
        homogenize(table(z_flag=["A", "4", "A"]), {}, MAP)
    assert caught.value.codes == (Code.TABLE_COLUMN_TYPE,)
    assert "2 flags" in caught.value.problems[0].found


def test_a_probability_is_read_off_without_rules():
    data = pa.table({"survey": ["NOBODY'S"] * 9, "type": ["S", "g", "P"] * 3,
                     "z_flag": [0.0, 0.1, 0.699, 0.7, 0.9, 0.989, 0.99, 1.0, None]})
    done = homogenize(data, {}, MAP)
    assert done.table[Z].to_pylist() == [0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 4.0, None]
    assert done.table[TYPE].to_pylist() == ["s", "g", "p"] * 3
    assert done.table["instrument_type"].to_pylist() == ["s", "g", "p"] * 3
    assert {a.route for a in done.accounts.values()} == {Route.FAST_PATH}


@pytest.mark.parametrize("values", [[0.0, 1.0], [0.5, 1.5], [-0.1, 0.5], [math.inf, 0.5]])
def test_what_is_no_probability_is_left_to_the_rules(values):
    done = homogenize(table(z_flag=values), {}, MAP)
    assert done.accounts[Output.Z_FLAG].route is Route.RULES


def test_a_fast_path_can_be_forbidden_and_demanded():
    block = ("z_flag_translation: {{fast_path: {}, default: 3}}\n"
             "instrument_type_translation: {{default: s}}")
    half = table(z_flag=[0.5, 0.95])
    assert flags(rules(block.format("disabled")), half) == [3.0, 3.0]
    assert flags(rules(block.format("required")), half) == [1.0, 3.0]
    with pytest.raises(TsmError, match="fast_path required"):
        homogenize(table(z_flag=[4, 4]), {}, rules(block.format("required")))
    both = parse_rule_file("""
translation_rules:
  A: {z_flag_translation: {fast_path: required}, instrument_type_translation: {default: s}}
  B: {z_flag_translation: {fast_path: disabled}, instrument_type_translation: {default: s}}
""", "rules.yaml")
    with pytest.raises(TsmError, match="both required and disabled"):
        homogenize(pa.table({"survey": ["A", "B"], "z_flag": [0.5, 0.5]}), {}, both)


def test_columns_that_are_homogenized_already_are_taken_as_they_are():
    data = table(z_flag=[1, 1], z_flag_homogenized=[4, None],
                 instrument_type_homogenized=[" S", "none"])
    done = homogenize(data, {}, MAP)
    assert done.table[Z].to_pylist() == [4.0, None]
    assert done.table[TYPE].to_pylist() == ["s", None]
    assert {a.route for a in done.accounts.values()} == {Route.GIVEN}
    mapped = homogenize(data.rename_columns({"instrument_type_homogenized": "t"}),
                        {"z_flag": "z_flag_homogenized", "instrument_type": "t"}, MAP)
    assert mapped.table["z_flag"].to_pylist() == [4.0, None]
    assert mapped.accounts[Output.Z_FLAG].route is Route.GIVEN


def test_homogenized_values_outside_the_scale_are_refused():
    data = table(z_flag_homogenized=[4, 5], instrument_type_homogenized=["s", "x"])
    with pytest.raises(TsmError) as caught:
        homogenize(data, {}, MAP)
    assert caught.value.codes == (Code.VALUE_RANGE, Code.VALUE_RANGE)


def test_a_star_is_six_in_the_older_dialect_and_no_quality_in_the_newer():
    data = table(z_flag_homogenized=[6], instrument_type_homogenized=["s"])
    assert flags(MAP, data) == [6.0]
    newer = rules("object_type_translation: {default: star}")
    with pytest.raises(TsmError, match="6"):
        homogenize(data, {}, newer)


def test_every_survey_without_rules_is_named_with_the_nearest():
    data = pa.table({"survey": ["TWOO", "twoo", "XYZ", None], "z_flag": [1, 1, 1, 1]})
    with pytest.raises(TsmError) as caught:
        homogenize(data, {}, MAP)
    assert set(caught.value.codes) == {Code.LEGACY_SURVEY}
    assert len(caught.value.problems) == 4  # two surveys, two columns
    assert "`TWO`" in caught.value.problems[0].remedy


def test_a_column_without_any_value_is_refused_where_ties_need_it():
    empty = rules("z_flag_translation: {8: 4}\ninstrument_type_translation: {}")
    with pytest.raises(TsmError) as caught:
        homogenize(table(z_flag=[1]), {}, empty)
    assert [p.where for p in caught.value.problems] == [f"column {Z}", f"column {TYPE}"]
    only_flags = rules("z_flag_translation: {1: 4}",
                       head="tiebreaking_priority: [z_flag_homogenized]")
    done = homogenize(table(z_flag=[1]), {}, only_flags)
    assert done.table[TYPE].to_pylist() == [None]
    assert done.accounts[Output.INSTRUMENT_TYPE].without_rules == 1
    newer = rules("z_flag_translation: {8: 4, fast_path: auto}\n"
                  "instrument_type_translation: {default: p}")
    assert flags(newer, table(z_flag=[1])) == [None]  # the newer dialect allows it


def test_rows_without_a_survey_have_no_value():
    data = pa.table({"survey": ["two", None, " nan "], "z_flag": [4, 4, 4]})
    done = homogenize(data, {}, MAP)
    assert done.table[Z].to_pylist() == [4.0, None, None]
    assert done.accounts[Output.Z_FLAG].without_rules == 2


def test_columns_that_rules_miss_or_cannot_read_are_told_together():
    rule_file = conditions(("missing > 1", 1), ("word > 1", 2), ("raw.str.contains('x')", 3),
                           ("raw & word == 'x'", 3))
    with pytest.raises(TsmError) as caught:
        homogenize(table(z_flag=[1], word=["x"], raw=[1.0]), {}, rule_file)
    assert caught.value.codes[0] is Code.LEGACY_EXPRESSION
    rule_file = conditions(("missing > 1", 1), ("missin == 2", 2))
    with pytest.raises(TsmError) as caught:
        homogenize(table(z_flag=[1], missin_=[1]), {}, rule_file)
    assert caught.value.codes == (Code.RULE_COLUMN, Code.RULE_COLUMN)


OBJECTS = rules("""
z_flag_translation: {default: 3}
instrument_type_translation: {default: s}
object_type_translation:
  source: CLASS
  STAR: star
  " Galaxy": galaxy
  UNDEF: null
  conditions:
    - {expr: 10 <= z_flag < 20, value: agn}
    - {expr: z_flag > 15, value: qso}
""")


def test_object_types_come_from_a_named_column_and_from_conditions():
    data = table(z_flag=[1, 1, 1, 13, 17, 1],
                 CLASS=["star ", "GALAXY", "undef", "STAR", "STAR", None])
    done = homogenize(data, {}, OBJECTS)
    assert done.table[OBJECT].to_pylist() == ["star", "galaxy", None, "agn", "qso", None]
    survey, = done.accounts[Output.OBJECT_TYPE].surveys
    assert [c.overwritten for c in survey.counts] == [0, 0, 0, 1, 0]
    assert survey.unmentioned == {"null": 1, "undef": 1}


def test_object_types_of_numbers_and_truth_values_are_mapped_by_value():
    rule_file = rules("""
z_flag_translation: {default: 3}
instrument_type_translation: {default: s}
object_type_translation: {source: c, optional_source: true, 1: star, -1: agn, default: qso}
""")
    for values, expected in (([1, -1, 0], ["star", "agn", "qso"]),
                             ([1.0, None, -1.0], ["star", "qso", "agn"]),
                             ([True, False, None], ["star", "qso", "qso"]),
                             (["1", " -1 ", "1.0"], ["star", "agn", "qso"])):
        done = homogenize(table(z_flag=[1] * 3, c=values), {}, rule_file)
        assert done.table[OBJECT].to_pylist() == expected
    absent = homogenize(table(z_flag=[1]), {}, rule_file)
    assert absent.table[OBJECT].to_pylist() == ["qso"]


def test_an_object_type_that_cannot_be_made_is_told_and_left_without_values():
    done = homogenize(table(z_flag=[1]), {}, OBJECTS)
    assert done.table[OBJECT].to_pylist() == [None]
    assert done.accounts[Output.OBJECT_TYPE].route is Route.SKIPPED
    assert [problem.code for problem in done.skipped] == [Code.TABLE_MISSING_COLUMN]
    numbers = homogenize(table(z_flag=[1], CLASS=[3]), {}, OBJECTS)
    assert [problem.code for problem in numbers.skipped] == [Code.TABLE_COLUMN_TYPE]


@pytest.mark.parametrize(("values", "older", "newer"), [
    ([0, 1, None], [0.0, 4.0, 0.0], [3.0, 4.0, 0.0]),  # numbers: both ways of writing hold
    (["0", " 1", None], [0.0, 0.0, 0.0], [3.0, 4.0, 0.0]),  # a text is no number, as in pandas
])
def test_the_column_type_is_text_and_the_number_that_it_was(values, older, newer):
    data = table(z_flag=[2] * 3, type=values)
    assert flags(conditions(("type == 1", 4)), data) == older
    assert flags(conditions(("type == '1'", 4), ("type == '0'", 3)), data) == newer


def test_a_column_of_32_bits_is_compared_as_numpy_compares_it():
    values = np.array([0.7, 0.1, 0.001], np.float32)
    data = table(z_flag=[2] * 3, raw=values, z_err=values)
    for number, expression in ((0.7, "raw == 0.7"), (0.1, "0.1 >= raw"), (0.001, "raw <= 0.001")):
        sign = {"==": np.equal, ">=": np.less_equal, "<=": np.less_equal}[expression.split()[1]]
        expected = [4.0 * bool(each) for each in sign(values, number)]
        assert 4.0 in expected
        assert flags(conditions((expression, 4)), data) == expected
    # A converted column is of 64 bits: 0.7 of 32 bits is less.
    assert flags(conditions(("z_err == 0.7", 4)), data) == [0.0] * 3


def test_surveys_in_one_table_go_by_their_own_rules_in_the_order_of_the_rows():
    rule_file = parse_rule_file("""
translation_rules:
  A: {z_flag_translation: {1: 4}, instrument_type_translation: {default: s}}
  B: {z_flag_translation: {1: 2}, instrument_type_translation: {default: g}}
""", "rules.yaml")
    data = pa.table({"survey": ["A", "B"] * 50, "z_flag": [1] * 100, "row": list(range(100))})
    cut = pa.concat_tables([data.slice(0, 33), data.slice(33)])
    done = homogenize(cut, {}, rule_file)
    assert done.table[Z].to_pylist() == [4.0, 2.0] * 50
    assert done.table[TYPE].to_pylist() == ["s", "g"] * 50
    assert done.table["row"].to_pylist() == list(range(100))


def test_texts_may_be_dictionary_encoded_and_tables_empty():
    data = pa.table({"survey": pa.array(["two"] * 3).dictionary_encode(), "z_flag": [1, 1, 1],
                     "word": pa.array(["x", "y", None]).dictionary_encode()})
    rule_file = conditions(("word == 'x'", 4), ("word.str.strip() == 'y'", 3))
    assert flags(rule_file, data) == [4.0, 3.0, 0.0]
    empty = homogenize(data.slice(0, 0), {}, rule_file).table
    assert (len(empty), str(empty.schema.field(Z).type)) == (0, "double")


def test_a_table_that_does_not_have_what_is_mapped_is_told_everything():
    data = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", "quality"])
    with pytest.raises(TsmError) as caught:
        homogenize(data, {"z_flag": "qualty", "survey": "name"}, MAP)
    assert caught.value.codes == (Code.TABLE_DUPLICATE_COLUMN, Code.TABLE_MISSING_COLUMN,
                                  Code.TABLE_MISSING_COLUMN)
    assert "`quality`" in caught.value.problems[1].remedy


def test_columns_that_cannot_be_converted_are_told_together():
    data = table(z=["0.5", "x"], z_err=pa.array([[1.0], [2.0]]), z_flag=[1, 1],
                 id=pa.array([[1], [2]]))
    with pytest.raises(TsmError) as caught:
        homogenize(data, {}, MAP)
    assert caught.value.codes == (Code.TABLE_COLUMN_TYPE,) * 3
    assert [p.where for p in caught.value.problems] == ["column id", "column z", "column z_err"]
