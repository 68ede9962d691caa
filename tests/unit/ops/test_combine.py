"""What each choice of a policy does to groups, winners and reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.ops.combine import Combined, combine

ARCSEC = 1 / 3600


def _table(*rows: dict[str, Any]) -> pa.Table:
    """Measurements of one survey at RA 10 that differ in what is told."""
    same = {"survey": "one", "survey_ordinal": 1, "release": "r", "native_rank": 0, "ra": 10.0,
            "dec": 0.0, "z": 0.5, "quality": 4, "object_class": "galaxy", "instrument_type": "s"}
    filled = [{**same, "row_id": place, "native_key": f"{place:03d}", **row}
              for place, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, schema=MEASUREMENT_SCHEMA)


def _combined(*rows: dict[str, Any], **policy: Any) -> Combined:
    return combine(_table(*rows), CombinePolicy.model_validate(policy))


def _reasons(done: Combined) -> list[Reason]:
    table = done.measurements.sort_by("row_id")
    return [Reason(code) for code in table["reason"].to_pylist()]


def _groups(done: Combined) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for row in done.measurements.sort_by("row_id").to_pylist():
        found.setdefault(row["galaxy_id"], []).append(row["row_id"])
    return sorted(found.values())


@pytest.mark.parametrize(("criterion", "better", "worse", "reason"), [
    ("quality", {"quality": 4}, {"quality": 3}, Reason.LOST_QUALITY),
    ("instrument_type", {"instrument_type": "s"}, {"instrument_type": "g"}, Reason.LOST_INSTRUMENT),
    ("survey_rank", {"survey_rank": 1}, {"survey_rank": 0}, Reason.LOST_SURVEY_RANK),
    ("z_err", {"z_err": 1e-4}, {"z_err": 2e-4}, Reason.LOST_Z_ERR),
    ("z_err", {"z_err": 1e-4}, {"z_err": None}, Reason.LOST_Z_ERR),
    ("year", {"year": 2024}, {"year": 2001}, Reason.LOST_YEAR),
    ("year", {"year": 1999}, {"year": None}, Reason.LOST_YEAR),
    ("snr", {"snr": 9.0}, {"snr": 3.0}, Reason.LOST_SNR),
    ("row_id", {}, {}, Reason.LOST_ID),
])
def test_what_is_better_wins_and_the_other_knows_why(criterion, better, worse, reason) -> None:
    first = {"row_id": 2, **better} if criterion != "row_id" else {"row_id": 1}
    done = _combined({"row_id": 2, **worse}, {**first, "row_id": 1 if not better else 3})
    by_id = dict(zip(done.measurements["row_id"].to_pylist(),
                     done.measurements["reason"].to_pylist(), strict=True))
    winner = 3 if better else 1
    assert by_id == {winner: Reason.WON, 2: reason}
    assert done.galaxies["row_id"].to_pylist() == [winner]


def test_of_equals_the_one_nearest_to_the_middle_of_the_group_wins() -> None:
    places = [0.0, 0.5, 0.6]
    done = _combined(*({"dec": place * ARCSEC} for place in places))
    assert _reasons(done) == [Reason.LOST_SEPARATION, Reason.WON, Reason.LOST_SEPARATION]


def test_criteria_decide_in_the_order_that_is_asked_for() -> None:
    rows = {"quality": 3, "z_err": 1e-5}, {"quality": 4, "z_err": 1e-3}
    assert _reasons(_combined(*rows)) == [Reason.LOST_QUALITY, Reason.WON]
    done = _combined(*rows, prefer=["z_err"], among_equals=["quality"])
    assert _reasons(done) == [Reason.WON, Reason.LOST_Z_ERR]


def test_surveys_that_a_recipe_trusts_go_before_the_ranks_of_definitions() -> None:
    rows = {"survey": "a", "survey_rank": 5}, {"survey": "b"}, {"survey": "c"}
    assert _reasons(_combined(*rows))[0] == Reason.WON
    done = _combined(*rows, survey_rank=["c", "b"])
    assert _reasons(done) == [Reason.LOST_SURVEY_RANK, Reason.LOST_SURVEY_RANK, Reason.WON]


DISPUTED = ({"z": 0.5, "z_err": 1e-4}, {"z": 0.502, "z_err": 2e-4}, {"z": 0.9, "z_err": 3e-4},
            {"z": 0.901, "z_err": 4e-4}, {"z": 0.5, "quality": 3})


@pytest.mark.parametrize(("disagreement", "reasons", "kept", "marked"), [
    ("flag", [Reason.WON, Reason.LOST_Z_ERR, Reason.LOST_CONFLICT, Reason.LOST_CONFLICT,
              Reason.LOST_QUALITY], [0], [True]),
    ("pick", [Reason.WON, Reason.LOST_Z_ERR, Reason.LOST_CONFLICT, Reason.LOST_CONFLICT,
              Reason.LOST_QUALITY], [0], [False]),
    ("keep_all", [Reason.TIED, Reason.LOST_Z_ERR, Reason.TIED, Reason.LOST_Z_ERR,
                  Reason.LOST_QUALITY], [0, 2], [True, True]),
    ("drop", [Reason.CONFLICT, Reason.LOST_Z_ERR, Reason.CONFLICT, Reason.LOST_Z_ERR,
              Reason.LOST_QUALITY], [], []),
])
def test_redshifts_of_one_rank_that_disagree_meet_their_fate(
    disagreement, reasons, kept, marked
) -> None:
    done = _combined(*DISPUTED, disagreement=disagreement)
    assert _reasons(done) == reasons
    assert done.galaxies["row_id"].to_pylist() == kept
    assert done.galaxies["z_conflict"].to_pylist() == marked
    assert done.rows.taken == done.rows.given + sum(done.rows.dropped.values())


def test_a_lower_rank_that_disagrees_is_no_conflict() -> None:
    done = _combined({"z": 0.5}, {"z": 0.9, "quality": 3})
    assert done.galaxies["z_conflict"].to_pylist() == [False]
    assert done.galaxies["n_agreeing"].to_pylist() == [1]
    assert done.galaxies["n_eligible"].to_pylist() == [2]


def test_nobody_asks_for_agreement_where_there_is_none() -> None:
    done = _combined({"z": 0.5, "z_err": 1e-4}, {"z": 0.9, "z_err": 2e-4}, agreement=None)
    assert _reasons(done) == [Reason.WON, Reason.LOST_Z_ERR]
    assert done.galaxies["n_agreeing"].to_pylist() == [2]


def test_the_mean_is_weighted_by_errors_over_what_agrees() -> None:
    rows = [(0.5000, 1e-4), (0.5004, 2e-4), (0.9, 3e-4), (0.5, None)]
    done = _combined(*({"z": z, "z_err": error} for z, error in rows), average=True)
    weights = np.array([1e-4, 2e-4]) ** -2.0
    expected = np.average([0.5, 0.5004], weights=weights)
    assert done.galaxies["z"].to_pylist() == pytest.approx([expected], abs=1e-12)
    assert done.galaxies["z_err"].to_pylist() == pytest.approx([weights.sum() ** -0.5])
    assert done.measurements["z"].to_pylist().count(0.5) == 2  # measured values stay


def test_a_winner_without_an_error_keeps_its_redshift() -> None:
    done = _combined({"z": 0.5}, {"z": 0.5002, "z_err": 1e-4, "quality": 3}, average=True)
    assert done.galaxies["z"].to_pylist() == [0.5]
    assert done.galaxies["z_err"].to_pylist() == [None]


def test_a_star_in_the_same_place_is_told_whether_it_is_grouped_or_apart() -> None:
    rows = {"z": 0.5}, {"object_class": "star", "z": 0.0}, {"dec": 1.0}
    grouped, apart = _combined(*rows), _combined(*rows, ineligible="apart")
    assert _groups(grouped) == [[0, 1], [2]]
    assert _groups(apart) == [[0], [1], [2]]
    for done in (grouped, apart):
        told = dict(zip(done.galaxies["row_id"].to_pylist(),
                        done.galaxies["class_conflict"].to_pylist(), strict=True))
        assert told == {0: True, 2: False}
        assert done.counts["groups with an excluded class"] == 1
        assert len(done.pairs) == 1


def test_a_doubtful_star_is_no_conflict() -> None:
    done = _combined({"z": 0.5}, {"object_class": "star", "quality": 1})
    assert done.galaxies["class_conflict"].to_pylist() == [False]


def test_what_stands_apart_links_nobody() -> None:
    """A doubtful row between two good ones makes them one galaxy only where it is grouped."""
    rows = {"dec": 0.0}, {"dec": 0.6 * ARCSEC, "quality": 1}, {"dec": 1.2 * ARCSEC}
    assert _groups(_combined(*rows)) == [[0, 1, 2]]
    assert _groups(_combined(*rows, ineligible="apart")) == [[0], [1], [2]]


def test_of_two_radii_the_larger_holds() -> None:
    rows = ({"survey": "fibre", "dec": 0.0}, {"survey": "slit", "dec": 1.0 * ARCSEC},
            {"survey": "slit", "dec": 1.6 * ARCSEC})
    done = _combined(*rows, radius_arcsec=0.5, survey_radius_arcsec={"fibre": 1.2})
    assert _groups(done) == [[0, 1], [2]]


@pytest.mark.parametrize(("errors", "groups"), [
    ((0.3, 0.4), [[0, 1]]),  # 3 * 0.5 = 1.5
    ((0.1, 0.1), [[0], [1]]),
    ((None, None), [[0], [1]]),  # 3 * 0.2 * sqrt(2) = 0.85
    ((9.0, 9.0), [[0, 1]]),
])
def test_a_radius_from_errors_is_three_times_that_of_both(errors, groups) -> None:
    rows = [{"dec": place * ARCSEC, "pos_err": error}
            for place, error in zip((0.0, 1.4), errors, strict=True)]
    assert _groups(_combined(*rows, radius_arcsec=2.0, position_errors={})) == groups


def test_a_chain_is_counted_or_split_around_its_best() -> None:
    rows = [{"dec": place * ARCSEC, "quality": 3 + (place == 1.4)}
            for place in (0.0, 0.7, 1.4, 2.1, 2.8, 3.5)]
    whole = _combined(*rows)
    assert _groups(whole) == [[0, 1, 2, 3, 4, 5]]
    assert whole.counts["groups larger than the extent"] == 1
    assert whole.galaxies["extent"].to_pylist() == pytest.approx([2.1])
    split = _combined(*rows, chains="split")
    assert _groups(split) == [[0, 1, 2, 3, 4], [5]]
    assert split.counts["groups larger than the extent"] == 0
    small = _combined(*rows, chains="split", max_extent_arcsec=0.75)
    assert _groups(small) == [[0], [1, 2, 3], [4, 5]]


def test_the_three_modes_keep_one_all_and_everything_by_itself() -> None:
    rows = {"z": 0.5}, {"z": 0.5, "quality": 3}, {"z": 0.5, "quality": 1}
    given = {mode: _combined(*rows, mode=mode).galaxies for mode in
             ("remove", "mark", "concatenate")}
    assert given["remove"]["row_id"].to_pylist() == [0]
    assert sorted(given["mark"]["row_id"].to_pylist()) == [0, 1]
    assert len(set(given["mark"]["galaxy_id"].to_pylist())) == 1
    assert sorted(given["concatenate"]["row_id"].to_pylist()) == [0, 1]
    assert len(set(given["concatenate"]["galaxy_id"].to_pylist())) == 2


def test_presets_fill_what_is_not_given_and_nothing_else() -> None:
    des = CombinePolicy.model_validate({"preset": "des", "radius_arcsec": 0.9})
    assert (des.radius_arcsec, des.prefer, des.among_equals) == (0.9, ("quality",),
                                                                ("z_err", "year"))
    crc = CombinePolicy(preset="crc")
    assert (crc.radius_arcsec, crc.ineligible, crc.disagreement) == (0.5, "apart", "drop")
    assert CombinePolicy(preset="default") == CombinePolicy()


@pytest.mark.parametrize("policy", [
    {"prefer": ["quality", "quality"]}, {"prefer": ["quality"], "among_equals": ["quality"]},
    {"max_extent_arcsec": 0.5}, {"survey_radius_arcsec": {"a": 0}}, {"preset": "best"},
    {"position_errors": {}, "survey_radius_arcsec": {"a": 1}}, {"prefer": ["flag"]},
    {"position_errors": {"smallest_arcsec": 2}}, {"average": True, "agreement": None},
])
def test_a_policy_that_contradicts_itself_is_refused(policy) -> None:
    with pytest.raises(ValueError, match="validation error"):
        CombinePolicy.model_validate(policy)


def test_equal_rows_count_once_and_different_ones_of_one_id_are_refused() -> None:
    table = _table({"z": 0.5}, {"z": 0.6, "dec": 1.0})
    done = combine(pa.concat_tables([table, table]), CombinePolicy())
    assert done.rows.dropped["repeated_row"] == 2
    assert len(done.measurements) == 2
    for change in ({"z": 0.7}, {"dec": 2.0}):
        other = _table({"z": 0.5}, {"z": 0.6, "dec": 1.0, **change})
        with pytest.raises(TsmError, match=r"id\.collision"):
            combine(pa.concat_tables([table, other]), CombinePolicy())


def test_a_table_made_before_some_columns_were_standard_is_taken() -> None:
    table = _table({}, {}).drop_columns(["pos_err", "snr", "year", "survey_rank"])
    assert len(combine(table, CombinePolicy()).galaxies) == 1


@pytest.mark.parametrize("mode", ["remove", "mark", "concatenate"])
def test_nothing_becomes_nothing(mode: str) -> None:
    done = _combined(mode=mode)
    assert (len(done.measurements), len(done.galaxies), len(done.pairs)) == (0, 0, 0)


def test_the_preset_crc_says_beside_ours_what_its_pipeline_would_say() -> None:
    """Ids by place, ties by these ids and not by ours, neighbours, stars; nothing below the cut."""
    done = _combined(
        {"row_id": 9, "survey": "a", "z": 0.5}, {"row_id": 8, "survey": "a", "z": 0.5005},
        {"row_id": 7, "survey": "b", "z": 0.5009}, {"row_id": 6, "survey": "b", "quality": 2},
        {"row_id": 5, "survey": "b", "object_class": "star"},
        {"row_id": 4, "survey": "a", "dec": 1.0, "z": 0.5}, {"row_id": 3, "dec": 1.0, "z": 0.9},
        preset="crc")
    told = {row["CRD_ID"]: row for row in done.crd.to_pylist()}
    assert {name: (row["row_id"], row["tie_result"]) for name, row in told.items()} == {
        "CRD001_1": (9, 1), "CRD001_2": (8, 0), "CRD002_1": (7, 0), "CRD002_3": (5, 3),
        "CRD001_3": (4, 2), "CRD003_1": (3, 2)}
    assert told["CRD001_1"]["compared_to"] == "CRD001_2, CRD002_1, CRD002_3"
    assert told["CRD001_3"]["compared_to"] == "CRD003_1"
    groups = {name: row["group_id"] for name, row in told.items()}
    assert groups["CRD001_1"] == groups["CRD001_2"] == groups["CRD002_1"] != groups["CRD002_3"]
    assert [row["is_in_rubin_footprint"] for row in told.values()] == [True] * 6
    by_ours = dict(zip(done.measurements["row_id"].to_pylist(),
                       done.measurements["reason"].to_pylist(), strict=True))
    assert (by_ours[7], by_ours[9]) == (Reason.WON, Reason.LOST_ID)
    assert (by_ours[3], by_ours[4]) == (Reason.CONFLICT, Reason.CONFLICT)


def test_other_presets_say_nothing_of_it() -> None:
    assert _combined({}).crd is None
