"""Numbers with names and units, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from astropy.units import Unit
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.model.artifact import Manifest, Rows
from pz_tsm_core.model.stages import COMBINE, RETRIEVE, STANDARDIZE
from pz_tsm_core.quality.balance import balance
from pz_tsm_core.quality.checks import Status, as_table, check, verdict
from pz_tsm_core.quality.definitions import Definition, definitions
from pz_tsm_core.quality.metrics import Measurement, measure
from pz_tsm_core.quality.rules import Hit, survey_rules


def values(found) -> dict[tuple[str, str], float]:
    return {(name, of): value for name, of, value in measure(found)}


def test_every_definition_has_a_unit_that_astropy_knows() -> None:
    for name, definition in definitions().items():
        assert definition.unit == "fraction" or Unit(definition.unit) is not None, name


def test_every_metric_is_defined_and_every_definition_measured(found) -> None:
    told = replace(found(), rules=[*survey_rules([standardized(6, 5)])])
    assert {name for name, _ in values(told)} == set(definitions())


def test_what_is_measured_for_each_has_a_value_for_each(found) -> None:
    told = values(found())
    for name, definition in definitions().items():
        kinds = {of for each, of in told if each == name}
        if definition.each == "part":
            assert kinds == {"train", "test"}
        if name.startswith("match.") and definition.each == "survey":
            assert kinds == {"", "survey_0", "survey_1", "survey_2"}


def test_a_survey_of_few_matches_is_not_judged_by_them(found) -> None:
    told = values(found(50))  # 17 for each of three surveys
    assert ("match.separation", "") in told
    assert ("match.separation", "survey_0") not in told


def test_few_matches_say_nothing_of_the_catalogues_positions(found) -> None:
    offsets = {("match.east", ""), ("match.north", "")}
    assert not offsets & values(found(19)).keys()
    assert offsets <= values(found(20)).keys()


@pytest.mark.parametrize("matched", [True, False])
def test_nothing_is_told_of_nothing(found, matched) -> None:
    told = values(found(0, matched=matched))
    assert told["rows.result", ""] == 0
    assert ("redshift.median", "") not in told
    assert verdict(check(measure(found(0, matched=matched)))) is Status.FAIL


def test_a_compilation_is_not_measured_by_its_photometry(found) -> None:
    assert not {name for name, _ in values(found(matched=False))} & {
        "match.separation", "magnitude.missing", "split.fraction"}


def test_a_fraction_is_judged_by_what_chance_allows(found) -> None:
    told = values(found(1000))
    share = told["split.fraction", "train"]
    assert told["split.deviation", "train"] == pytest.approx((share - 0.7) / 0.01449, rel=1e-3)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1))
def test_the_verdict_is_the_worst_of_the_checks(numbers) -> None:
    checks = check([Measurement("split.shared_galaxies", "", number) for number in numbers])
    assert (verdict(checks) is Status.FAIL) == any(number != 0 for number in numbers)


@pytest.mark.parametrize(("name", "value", "status"), [
    ("rows.unaccounted", 0, Status.PASS), ("rows.unaccounted", 1, Status.FAIL),
    ("match.separation", 0.3, Status.PASS), ("match.separation", 0.31, Status.LOOK),
    ("match.east", -101, Status.LOOK), ("match.fraction", 0.01, Status.TOLD),
    ("redshift.lowest", -0.02, Status.LOOK), ("redshift.highest", 9.9, Status.PASS),
])
def test_a_value_stands_by_its_bounds(name, value, status) -> None:
    assert [each.status for each in check([Measurement(name, "", value)])] == [status]


def test_bounds_say_what_to_do() -> None:
    for wrong in ({"pass": (0, 1)}, {"remedy": "look"}):
        with pytest.raises(ValueError, match="remedy"):
            Definition.model_validate({"title": "x", "about": "y", **wrong})


def test_the_table_holds_every_check_with_its_unit(found) -> None:
    checks = check(measure(found()))
    table = as_table(checks).to_pylist()
    assert len(table) == len(checks)
    assert {"name": "match.ambiguous", "of": "", "unit": "fraction", "status": "look",
            "value": values(found())["match.ambiguous", ""]} in table


def manifest(stage, inputs, rows, *, content: str, **other) -> Manifest:
    request = stage.request({}, policy={"of": content})
    request = request.model_copy(update={"inputs": inputs})
    return Manifest(request=request, address=request.address, content=content * 32,
                    access=request.access, rows=rows, **other)


def standardized(taken: int, given: int, content: str = "b", **hits: int) -> Manifest:
    rules = {"quality: flag == 4": given - 1, "quality: otherwise": 1,
             "object_class: otherwise": given, **hits}
    dropped = {"no_redshift": taken - given}
    return manifest(STANDARDIZE, {"native": ["a" * 32]}, Rows(taken=taken, given=given,
                    dropped=dropped), content=content, counts={"rules": rules},
                    notes={"survey": {"key": "mine", "name": "Mine"}})


def test_a_row_that_no_stage_accounts_for_is_seen() -> None:
    native = manifest(RETRIEVE, {}, Rows(taken=9, given=9), content="a")
    for taken, lost in ((9, 0), (7, 2)):
        steps = balance({"retrieve": native, "standardize": standardized(taken, 5)})
        assert [step.unaccounted for step in steps] == [0, lost]


def test_rows_from_outside_the_run_are_not_expected_to_be_known() -> None:
    combined = manifest(COMBINE, {"measurements": ["f" * 32]}, Rows(taken=4, given=4), content="c")
    assert [step.expected for step in balance({"combine": combined})] == [None]


def test_rules_of_a_survey_in_several_files_are_told_together() -> None:
    rules, = survey_rules([standardized(10, 8), standardized(5, 4, "c")])
    assert (rules.taken, rules.given, rules.silent) == (15, 12, 0)
    assert rules.hits == (Hit("quality", "flag == 4", 10), Hit("quality", "otherwise", 2),
                          Hit("object_class", "otherwise", 12))
    assert rules.unforeseen == pytest.approx(2 / 12)


def test_a_rule_that_never_fired_is_counted_and_otherwise_alone_is_no_rule() -> None:
    silent, = survey_rules([standardized(5, 4, **{"quality: flag == 1": 0})])
    assert silent.silent == 1
    assert silent.hits[1:3] == (Hit("quality", "flag == 1", 0), Hit("quality", "otherwise", 1))
    plain = standardized(5, 4).model_copy(update={"counts": {"rules": {"quality: otherwise": 4}}})
    assert survey_rules([plain])[0].unforeseen is None
