"""Why rows are what they are: counted by rule and native value, against pandas on the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.ops.decide import TOLD, by_value, flag_columns
from pz_tsm_core.ops.explain import explain
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.surveys import get_survey, parse_survey

DEFINITION = """\
schema: 1
key: mine
ordinal: 1000000
name: Mine
facility: me
release: R1
year: 2024
columns:
  id: {from: ID}
  ra: {from: RA, unit: deg}
  dec: {from: DEC, unit: deg}
  z: {from: Z, nulls: [-9], valid: [0, 7]}
  native_flag: {from: Q}
  others: [CLASS, SNR]
quality:
  rules:
    - {when: Q == 4 and SNR > 5, then: 4, source: me}
    - {when: Q == 4, then: 3, source: me}
    - {when: Q == 7, then: 2, source: me}
  otherwise: 0
  source: me
object_class:
  rules: [{when: lower(CLASS) == 'star', then: star, source: me}]
  otherwise: unknown
  source: me
instrument_type: {otherwise: s, source: me}
"""
SURVEY = parse_survey(DEFINITION, "mine.yaml")


def table(n=500, seed=3):
    random = np.random.default_rng(seed)
    return pa.table({
        "ID": np.arange(n), "RA": random.uniform(0, 360, n), "DEC": random.uniform(-90, 90, n),
        "Z": random.choice([-9.0, 0.5, 8.0, np.nan, 1.0], n),
        "Q": pa.array([None if q == 0 else int(q) for q in random.integers(0, 6, n)]),
        "CLASS": random.choice(["STAR", "star  ", "QSO", "it's"], n),
        "SNR": random.uniform(0, 10, n),
    })


def in_pandas(rows):
    """What the definition says, a second time."""
    d = rows.to_pandas()
    d = d[(d.Z != -9) & d.Z.between(0, 7)]
    d["rule"] = np.select([(d.Q == 4) & (d.SNR > 5), d.Q == 4], [0, 1], 3)
    return d


def test_rows_of_rules_and_values_are_those_of_pandas():
    rows = table()
    quality, object_class, instrument = explain(rows, SURVEY).quantities
    d = in_pandas(rows)
    assert [rule.rows for rule in quality.rules] == [(d.rule == n).sum() for n in range(4)]
    for number, rule in enumerate(quality.rules):
        assert [row for row, _ in rule.examples] == d.index[d.rule == number][:3].tolist()
    flags = d.Q.map(lambda q: "null" if np.isnan(q) else f"{q:.0f}")
    expected = d.groupby([flags, "rule"]).size()
    assert {(each.native["Q"], each.rule): each.rows for each in quality.values
            } == expected.to_dict()
    firsts = d.reset_index().groupby([flags.to_numpy(), "rule"])["index"].min().to_dict()
    assert {(each.native["Q"], each.rule): each.first for each in quality.values} == firsts
    left = d[d.rule == 3]
    assert {each.native["Q"]: each.rows for each in quality.undecided
            } == flags[left.index].value_counts().to_dict()
    classes = d.CLASS[d.CLASS.str.lower() != "star"].value_counts().to_dict()
    assert {each.native["CLASS"]: each.rows for each in object_class.undecided} == {
        repr(name) if "'" not in name else "'it''s'": count for name, count in classes.items()}
    assert instrument.undecided == instrument.values == ()  # no rule decides it


def test_the_account_is_that_of_the_manifest():
    rows = table()
    done, told = standardize(rows, SURVEY), explain(rows, SURVEY)
    assert told.rows == done.rows
    assert {f"{part.quantity}: {rule.when}": rule.rows
            for part in told.quantities for rule in part.rules} == done.rule_hits
    assert {f"{part.quantity}: {each}": each.rows
            for part in told.quantities for each in part.undecided} == done.undecided
    for part in told.quantities:
        undecided = sum(n for name, n in done.undecided.items() if name.startswith(part.quantity))
        assert undecided == (part.rules[-1].rows if len(part.rules) > 1 else 0)


def test_the_order_of_rows_changes_no_count():
    rows = table()
    again = rows.take(np.random.default_rng(0).permutation(len(rows)))
    assert standardize(again, SURVEY).undecided == standardize(rows, SURVEY).undecided
    assert list(standardize(again, SURVEY).undecided) == list(standardize(rows, SURVEY).undecided)


def test_only_the_most_frequent_values_are_told_and_the_rest_is_one_number():
    n = 3 * TOLD
    flags = np.concatenate([np.arange(1000, 1000 + n), np.arange(1000, 1000 + TOLD // 2)])
    rows = table(len(flags)).set_column(3, "Z", [np.full(len(flags), 0.5)]).set_column(
        4, "Q", [flags])
    counted = {name: count for name, count in standardize(rows, SURVEY).undecided.items()
               if name.startswith("quality")}
    expected = {f"quality: Q {value}": count
                for value, count in pd.Series(flags).value_counts().items()}
    others = counted.pop("quality: other values")
    assert len(counted) == TOLD
    assert counted.items() <= expected.items()
    assert {f"quality: Q {1000 + k}" for k in range(TOLD // 2)} <= set(counted)
    assert others + sum(counted.values()) == len(flags)


@pytest.mark.parametrize("values", [
    pa.array([None, None]), pa.array([1.5, float("nan")]), pa.array([True, None]),
    pa.array(["a", None]).dictionary_encode(), pa.array([0.5, None], pa.float16()),
    pa.array(["x" * 5000, "x" * 5000 + "y"]), pa.array([], pa.int8()),
    pa.array(["a\x1b[2J", "\N{SNOWMAN}"], pa.large_string()),
])
def test_values_of_any_kind_are_counted(values):
    native = pa.table({"a": values})
    counted = by_value(native, ("a",))
    assert sum(each.rows for each in counted) == len(native)
    for each in counted:
        assert len(each.native["a"]) < 100


def test_columns_of_a_flag_are_those_that_are_told_apart():
    assert flag_columns(SURVEY, "quality") == ("Q",)
    assert flag_columns(SURVEY, "object_class") == ("CLASS",)
    assert flag_columns(SURVEY, "instrument_type") == ()
    assert flag_columns(get_survey("2mrs"), "quality") == ("EV",)  # measured, for want of a flag
    assert set(flag_columns(get_survey("desi_dr1"), "quality")) == {
        "ZWARN", "OBJTYPE", "ZCAT_PRIMARY"}


def test_rows_that_a_run_would_refuse_are_counted_as_undecided():
    survey = parse_survey(DEFINITION.replace("  otherwise: 0", "  otherwise: null"), "mine.yaml")
    rows = table()
    part = explain(rows, survey).quantities[0]
    assert part.rules[-1].gives is None
    assert part.rules[-1].rows == (in_pandas(rows).rule == 3).sum()


def test_a_table_of_which_nothing_is_left_is_explained():
    rows = table().set_column(3, "Z", [[-9.0] * 500])
    told = explain(rows, SURVEY)
    assert (told.rows.given, told.rows.dropped["no_redshift"]) == (0, 500)
    assert [rule.rows for part in told.quantities for rule in part.rules] == [0] * 7
    assert explain(rows[:0], SURVEY).rows.taken == 0


REAL = {
    "2dfgrs": ("2dfgrs_final_release", "quality"), "6dfgs": ("6dfgs_dr3", "QUALITY"),
    "2dflens": ("2dflens_final_release", "qual"), "mosdef": ("mosdef_final_release", "Z_QUAL"),
    "primus": ("primus_dr1", "ZQUALITY"), "vandels": ("vandels_dr4", "zflg"),
}


@pytest.mark.parametrize("key", REAL)
def test_flags_of_real_rows_are_counted_as_pandas_counts_them(key, shared_data):
    name, flag = REAL[key]
    rows = pq.read_table(shared_data / "specz" / f"{name}_random_sample.parquet")
    survey = get_survey(key)
    measured = standardize(rows, survey).table.to_pandas()
    values = explain(rows, survey).quantities[0].values
    # The standard table has the flag and the quality of every row.
    expected = measured.groupby(["native_flag", "quality"]).size().to_dict()
    found: dict[tuple[str, int], int] = {}
    for each in values:
        gives = [*(rule.then for rule in survey.quality.rules), survey.quality.otherwise][each.rule]
        place = each.native[flag].strip("' "), int(gives)
        found[place] = found.get(place, 0) + each.rows
    assert found == {(text.strip(), quality): n for (text, quality), n in expected.items()}
