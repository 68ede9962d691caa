"""What a guard lets pass, and what it says when it does not."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.stages import COMBINE, REPORT, STANDARDIZE
from pz_tsm_core.quality.guard import TITLES, judge
from pz_tsm_core.store import open_store
from tests.unit.quality.compilations import Row, compiled

#: No leeway in numbers, so that a few rows can show what shares do.
STRICT: dict[str, Any] = {"survey_rows_few": 0, "repeats_few": 2}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def sky(n=100, *, survey="deep", z=0.5, first=0):
    return {first + number: [Row(1000 * (first + number), z, survey)] for number in range(n)}


def repeated(scatter, n=40):
    """Galaxies measured twice, apart by so much over 1 + z."""
    far = scatter / 1.4826
    return {number: [Row(1000 * number, 0.5), Row(1000 * number + 1,
            (0.5 + far * (1 + 0.25)) / (1 - far / 2), reason=Reason.LOST_ID)]
            for number in range(n)}


def standardized(store, taken, given):
    def fill(draft):
        (draft.directory / "x").write_text(f"{taken} {given}")
        draft.rows(taken, given, {"no redshift": taken - given})
        draft.note("survey", {"key": "deep"})
        draft.count("rules", {})

    return store.publish(STANDARDIZE.request(policy={"rows": [taken, given]}), fill).ref


def reported(store, *lines):
    """The report's metrics: name, of, value, status."""
    names = ("name", "of", "value", "status")
    columns = list(zip(*lines, strict=True)) if lines else [[]] * 4
    table = pa.table({name: list(values) for name, values in zip(names, columns, strict=True)})
    return store.publish(REPORT.request(policy={"lines": [list(line) for line in lines]}),
                         lambda draft: draft.write_table("metrics", table) and None).ref


def judged(store, now, before=None, *, policy=None, **other):
    """The judgement of a sky, or of artifacts, after another one."""
    def made(what):
        return what if COMBINE.name in what else {COMBINE.name: compiled(store, what)}

    former = None
    if before is not None:
        former = store.products.add("specz", "compilation", made(before), COMBINE.name)
    return judge(store, made(now), former, GuardPolicy(**{**STRICT, **(policy or {}), **other}))


def failed(judgement):
    return [(each.name, each.of) for each in judgement.failed]


def test_a_version_like_the_former_passes_and_is_told_figure_by_figure(store):
    told = judged(store, sky(), sky())
    assert (told.passed, told.former) == (True, "specz@1")
    assert {each.name for each in told.findings} == {
        "survey.rows", "redshift.repeats", "checks.failed", "galaxies.added", "galaxies.removed",
        "galaxies.regrouped", "redshift.changed"}
    assert {each.name for each in told.findings} <= TITLES.keys()
    (rows,) = [each for each in told.findings if each.name == "survey.rows"]
    assert (rows.of, rows.value, rows.former, rows.low, rows.high) == ("deep", 100, 100, 90, 110)
    assert rows.words == "Measurements of deep: 100, before 100"


@pytest.mark.parametrize(("rows", "passes"), [(89, False), (90, True), (110, True), (111, False)])
def test_a_survey_may_lose_and_gain_up_to_its_limit(store, rows, passes):
    told = judged(store, sky(rows), sky(100), galaxies_removed=1, survey_rows_change=0.1)
    assert (("survey.rows", "deep") not in failed(told)) is passes
    if rows == 89:
        assert told.failed[0].words == (
            "Measurements of deep: 89, before 100; allowed are at least 90 and at most 110")


def test_a_few_rows_do_not_matter(store):
    assert judged(store, sky(5), sky(10), galaxies_removed=1, survey_rows_few=5).passed


@pytest.mark.parametrize("allowed", [True, False])
def test_surveys_that_come_or_vanish_pass_if_they_may(store, allowed):
    wide = sky(1, survey="wide", first=500)
    for now, before, policy in ((sky() | wide, sky(), {"new_surveys": allowed}),
                                (sky(), sky() | wide, {"vanished_surveys": allowed})):
        told = judged(store, now, before, policy=policy)
        assert failed(told) == ([] if allowed else [("survey.rows", "wide")])
        store.products.withdraw("specz")


def test_a_first_version_is_held_to_what_it_must_be_in_itself(store):
    assert judged(store, sky()).passed
    assert judged(store, sky()).former == ""
    bad = reported(store, ("split.shared_galaxies", "", 2.0, "fail"))
    told = judged(store, {COMBINE.name: compiled(store, repeated(0.01)), REPORT.name: bad})
    assert failed(told) == [("redshift.repeats", ""), ("checks.failed", "")]


def test_dropped_rows_are_counted_over_all_surveys_and_held_to_both_limits(store):
    def version(*balances):
        return {COMBINE.name: compiled(store, sky()), **{
            f"standardize {number}": standardized(store, *each)
            for number, each in enumerate(balances)}}

    former = version((100, 90), (100, 70))  # a fifth is dropped
    for given, passes in ((70, True), (59, False)):
        told = judged(store, version((100, 90), (100, given)), former)
        (dropped,) = [each for each in told.findings if each.name == "rows.dropped"]
        assert (dropped.value, dropped.former) == pytest.approx((1 - (90 + given) / 200, 0.2))
        assert (dropped.passed, dropped.high) == (passes, pytest.approx(0.25))
    assert failed(judged(store, version((100, 19)))) == [("rows.dropped", "")]


def test_the_scatter_of_repeats_may_rise_so_far_and_no_further(store):
    for scatter, passes in ((0.0014, True), (0.0016, False), (0.0001, True)):
        told = judged(store, repeated(scatter), repeated(0.001), redshifts_changed=1)
        (repeats,) = [each for each in told.findings if each.name == "redshift.repeats"]
        assert (repeats.value, repeats.former) == pytest.approx((scatter, 0.001), rel=0.003)
        assert repeats.passed is passes
    (repeats,) = [each for each in judged(store, repeated(0.1), repeats_few=41).findings
                  if each.name == "redshift.repeats"]
    assert (repeats.passed, "of 40 pairs: too few to judge" in repeats.words) == (True, True)


def test_matched_galaxies_and_failed_checks_are_taken_from_the_report(store):
    def version(matched, status="pass"):
        return {COMBINE.name: compiled(store, sky()), REPORT.name: reported(
            store, ("match.fraction", "", matched, status), ("rows.kept", "deep", 0.9, "look"))}

    assert judged(store, version(0.46), version(0.5)).passed
    assert failed(judged(store, version(0.44), version(0.5))) == [("match.fraction", "")]
    assert failed(judged(store, version(0.44), matched_least=0.45)) == [("match.fraction", "")]
    told = judged(store, version(0.5, "fail"))
    assert told.failed[0].words == (
        "Failed checks of the report: 1 (match.fraction); allowed are at most 0")


@pytest.mark.parametrize(("name", "now", "policy"), [
    ("galaxies.added", sky(121), {"survey_rows_change": 1}),
    ("galaxies.removed", sky(97), {}),
    ("redshift.changed", sky(97) | sky(3, z=0.51, first=97), {}),
    ("galaxies.regrouped",
     {number: [Row(1000 * number)] for number in range(97)}
     | {900 + number: [Row(1000 * number)] for number in range(97, 100)}, {}),
])
def test_each_difference_has_its_limit(store, name, now, policy):
    told = judged(store, now, sky(), policy=policy)
    assert failed(told) == [(name, "")]
    share = told.failed[0].value
    limit = {"galaxies.added": "galaxies_added", "galaxies.removed": "galaxies_removed",
             "redshift.changed": "redshifts_changed",
             "galaxies.regrouped": "galaxies_regrouped"}[name]
    assert share == pytest.approx(0.21 if name == "galaxies.added" else 0.03)
    assert judged(store, now, sky(), policy={**policy, limit: share}).passed


def test_small_changes_of_redshifts_do_not_count(store):
    assert judged(store, sky(z=0.505), sky(z=0.5)).passed


def test_a_former_version_that_is_damaged_or_gone_lets_a_person_decide(tmp_path):
    store = open_store(tmp_path / "store")
    before = compiled(store, sky(90))
    former = store.products.add("specz", "compilation", {COMBINE.name: before}, COMBINE.name)
    file = store.directory(before) / "measurements.parquet"
    file.chmod(0o644)
    file.write_bytes(b"x" * 100)
    made = {COMBINE.name: compiled(store, sky())}
    told = judge(open_store(tmp_path / "store"), made, former, GuardPolicy())
    assert failed(told) == [("former.whole", "")]
    assert told.failed[0].words.startswith("specz@1 cannot be read")
    file.unlink()
    assert not judge(open_store(tmp_path / "store"), made, former, GuardPolicy()).passed


def test_what_is_no_compilation_is_no_matter_for_a_guard(store):
    with pytest.raises(TsmError) as caught:
        judge(store, {"put": compiled(store, sky())}, None, GuardPolicy())
    assert caught.value.codes == (Code.PRODUCT_NAME,)


def test_a_guarded_refresh_waits_and_its_reasons_are_kept(store):
    def add(what):
        made = {COMBINE.name: compiled(store, what)}
        return store.products.add("specz", "compilation", made, COMBINE.name,
                                  guard=lambda former: judge(store, made, former, GuardPolicy()))

    assert not add(sky(100)).waits
    assert not add(sky(101)).waits
    worse = add(sky(50))
    assert (worse.waits, str(store.products.get("specz"))) == (True, "specz@2")
    kept = store.products.get("specz@3").judgement
    assert (kept.former, failed(kept)) == ("specz@2", [("galaxies.removed", "")])
    assert kept.policy == GuardPolicy()


def test_a_whole_training_set_passes_the_defaults(mock_run):
    made = {label: manifest.ref for label, manifest in mock_run.manifests.items()}
    former = mock_run.store.products.add("guarded", "training_set", made, "export")
    told = judge(mock_run.store, made, former, GuardPolicy())
    assert told.failed == ()
    figures = {each.name: each for each in told.findings}
    assert {"match.fraction", "rows.dropped", "redshift.repeats"} <= figures.keys()
    assert figures["redshift.repeats"].value < 0.005
    mock_run.store.products.withdraw(str(former))


def test_every_limit_has_a_title_and_a_line_for_a_form():
    for field in GuardPolicy.model_fields.values():
        assert field.title
        assert field.description.endswith(".")


@pytest.mark.parametrize("limits", [
    {"galaxies_removed": 1.5}, {"survey_rows_change": math.inf}, {"repeats_most": math.nan},
    {"repeats_ratio": 0.9}, {"unknown": 1}])
def test_a_limit_that_makes_no_sense_is_refused(limits):
    with pytest.raises(ValidationError):
        GuardPolicy(**limits)
