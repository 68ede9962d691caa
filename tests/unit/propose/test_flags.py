"""How flags are read, against what curators and the surveys themselves say of the same values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pz_tsm_core.inspection.column import Column, columns_of
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.propose.entry import as_own
from pz_tsm_core.propose.flags import read_flag
from pz_tsm_core.propose.sentinels import sentinels
from pz_tsm_core.propose.vocabulary import conventions
from pz_tsm_core.rules import first_match
from pz_tsm_core.surveys import get_survey
from pz_tsm_core.tables import read


def column(values, name="zq"):
    return columns_of(pa.table({name: values}))[0]


def graded(values, name="zq", has_redshift=None):
    """Quality of each value, as the proposed rules say."""
    flag = column(values, name)
    known = np.ones(len(values), dtype=bool) if has_redshift is None else has_redshift
    reading = read_flag(flag, known)
    assert reading is not None
    if reading.same_scale:
        return list(values)
    from pz_tsm_core.rules import parse

    rules = tuple((parse(rule.when), rule.then) for rule in reading.quality)
    match = first_match(rules, pa.table({name: flag.values}), otherwise=reading.otherwise)
    return match.values(pa.int8()).to_pylist()


# Left: flags; right: the scale 0-4 by the confidence that the survey's paper gives them.
@pytest.mark.parametrize(("name", "flags", "quality"), [
    ("Q", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ("Q", [0.0, 1.0, None, 3.0, 4.0], [0, 1, 0, 3, 4]),
    ("quality", [1, 2, 3, 4, 5], [0, 1, 3, 4, 4]),  # 2dFGRS: 2001MNRAS.328.1039C
    ("qop", [1, 2, 3, 4, 6], [0, 1, 3, 4, 4]),  # OzDES: 6 a star
    # VVDS: 1 50 %, 2 75 %, 3 95 %, 4 100 %, 9 a single line; 1x broad, 2x secondary.
    ("zflag", [0, 1, 2, 3, 4, 9, 12, 13, 14, 23, 29], [0, 1, 2, 3, 4, 2, 2, 3, 4, 3, 2]),
    ("CC", [3.5, 4.4, 9.3, 14.5, 2.1], [3, 4, 2, 4, 2]),  # zCOSMOS: decimals are photo-z agreement
    ("ZWARN", [0, 4, 5, 2053, 0], [3, 0, 0, 0, 3]),
    ("z_conf", [0.0, 0.5, 0.7, 0.95, 0.999], [0, 1, 2, 3, 4]),
    ("z_prob", [0, 50, 80, 95, 100], [0, 1, 2, 3, 4]),
    ("QF", ["A ", "b", "C", "X", None], [4, 3, 2, 0, 0]),
    ("specz_flag_homogeneous", [True, False, None], [3, 0, 0]),
    ("is_secure", [1, 0, 0], [3, 0, 0]),
    ("reliability", ["secure", "Insecure ", "?"] + ["secure"] * 97, [3, 0, 0] + [3] * 97),
    ("zq", ["4", "3", "1", ""], [4, 3, 1, 0]),
    ("zq", [-99, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ("flag_des", [1, 2, 3, 4], [0, 1, 3, 4]),
    ("z_flag_homogenized", [0, 1, 2, 3, 4, 6], [0, 1, 2, 3, 4, 4]),
])
def test_scales_of_surveys_are_read(name, flags, quality):
    assert graded(flags, name) == quality


def test_grades_of_an_unknown_scale_follow_the_rows_without_redshift():
    grades = np.repeat([0, 1, 2, 3, 4, 5, 6, 7], 10)
    best = graded(grades.tolist(), has_redshift=grades > 0)[::10]
    # MOSDEF, as 2015ApJS..218...15K grades its flags: 7 two lines or more, 6 one line.
    assert best == [0, 1, 1, 1, 2, 2, 3, 4]
    turned = graded((7 - grades).tolist(), has_redshift=grades > 0)[::10]
    assert turned == best


def test_without_a_sign_of_which_end_is_bad_an_unknown_scale_is_left_alone():
    assert read_flag(column([5, 6, 7, 8, 11]), np.ones(5, dtype=bool)) is None
    assert read_flag(column(["LRb_A", "MR_C"]), np.ones(2, dtype=bool)) is None


@pytest.mark.parametrize("key", ["2dfgrs", "2dflens", "6dfgs", "candels", "vuds_dr1", "mosdef"])
def test_proposals_grade_real_flags_as_the_curated_definitions_do(key, shared_data):
    """For MOSDEF, a guess, in what is secure; for the others in every row."""
    rows = read(next((shared_data / "specz").glob(f"{key.partition('_')[0]}*.parquet"))
                if key != "candels" else next((shared_data / "specz").glob("*CANDELS*")))
    ours = as_own("mine", "mine.parquet", rows, columns_of(rows)).trial.table
    curated = standardize(rows, get_survey(key)).table
    both = ours.select(["ra", "dec", "z", "quality"]).join(
        curated.select(["ra", "dec", "z", "quality"]), ["ra", "dec", "z"], right_suffix="_there",
        join_type="inner")
    assert len(both) >= len(curated)
    ours, theirs = (both[name].to_numpy() for name in ("quality", "quality_there"))
    if key == "mosdef":
        ours, theirs = ours >= 3, theirs >= 3
    np.testing.assert_array_equal(ours, theirs)


def test_every_convention_has_flags_that_show_it():
    """No convention hides behind an earlier one for good."""
    shown = {
        "z_flag_homogenized": [1, 3], "flag_des": [1, 4], "zwarn": [0, 4], "ok": [True, False],
        "a": [0, 3], "b": [1, 4, 6], "c": [3, 5], "d": [4, 9], "e": [-1, 3],
        "f": [0.5, 0.9], "conf": [10, 95], "g": [0, 1], "h": ["3", "0"],
        "i": ["A", "C"], "j": ["good", "bad"],
    }
    read_as = [read_flag(column(values, name), np.ones(2 + (name == "b"), dtype=bool)).means
               for name, values in shown.items()]
    assert set(read_as) == {convention.means for convention in conventions()}


@pytest.mark.parametrize(("values", "found"), [
    ([0.1, 0.2, -99.0, -99.0], {-99.0: 2}),
    ([0.1, -9.999, 0.3], {-9.999: 1}),
    (np.array([0.1, 4.2, 9.9999, 9.9999, 9.9999], np.float32), {9.9999: 3}),
    ([0.1, 0.2, 88.8, 88.8, 88.8], {88.8: 3}),
    ([9.9, 9.95, 9.9999, 9.9999, 9.9999], {}),  # a survey of such redshifts
    ([0.1, 0.2, -0.0005], {}),
    ([0.1, 31.5], {}),  # once: a mistake, that leaves by its range
])
def test_sentinels_are_found_and_redshifts_are_not(values, found):
    assert sentinels(column(values, "z")) == found


def test_a_flag_whose_name_no_rule_can_hold_is_left_alone():
    assert read_flag(column([0, 3, 4], "a`b"), np.ones(3, dtype=bool)) is None


def test_names_that_are_words_of_the_rule_language_stand_in_backquotes():
    from pz_tsm_core.propose.flags import quoted

    names = ["Z", "with", "not", "is", "Z-Q", "2q", "digit", "ends"]
    texts = [quoted(Column(0, pa.field(name, pa.int64()), pa.chunked_array([[1]])))
             for name in names]
    table = pa.table({name: [1] for name in names})
    from pz_tsm_core.rules import parse

    assert all(parse(f"{text} == 1").mask(table).all() for text in texts)
    assert texts[0] == "Z"
    assert pc.all(pc.starts_with(pa.array(texts[1:4]), "`")).as_py()
