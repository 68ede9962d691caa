"""Survey definitions: what the registry holds and how mistakes in a definition are told."""

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.surveys import get_survey, load_survey, parse_survey, registry, survey_rules

GOOD = """\
schema: 1
key: my_survey
ordinal: 77
name: My survey
facility: a telescope
release: R1
year: 2024
citation: [2024arXiv000000000X]
columns:
  id: {from: ID}
  ra: {from: RA, unit: deg}
  dec: {from: DEC, unit: deg}
  z: {from: Z, nulls: [-9], valid: [0, 7]}
  native_flag: {from: Q}
quality:
  rules:
    - {when: Q == 4, then: 4, source: the paper}
    - {when: Q == 3, then: 3, source: the paper}
  otherwise: 0
  source: the paper
object_class: {otherwise: unknown, source: the paper}
instrument_type: {otherwise: s, source: the paper}
"""


def refusal(text):
    with pytest.raises(TsmError) as caught:
        parse_survey(text, "mine.yaml")
    return caught.value


def test_the_registry_holds_its_surveys_in_the_order_of_their_ordinals():
    # Append-only: a change of this list moves galaxy ids that are published.
    assert [(key, survey.ordinal) for key, survey in registry().items()] == [
        ("2dfgrs", 1), ("6dfgs", 2), ("primus", 3), ("3dhst", 4), ("vandels", 5), ("desi_dr1", 6),
        ("2dflens", 7), ("2mrs", 8), ("mosdef", 9), ("vimos_goods", 10), ("vuds_dr1", 11),
        ("astrodeep_gs43", 12), ("candels", 13)]


def test_every_survey_is_cited_and_its_rules_can_be_parsed():
    for key, survey in registry().items():
        assert survey.key == key
        assert survey.citation, key  # a table of the user's own may cite nothing
        assert all(len(bibcode) == 19 for bibcode in survey.citation), key
        rules = survey_rules(survey)
        read = set().union(*(rule.columns for rule in rules.expressions))
        assert read <= survey.native_columns


def test_an_unknown_survey_is_told_the_nearest():
    with pytest.raises(TsmError, match="did you mean `desi_dr1`") as caught:
        get_survey("desi_dr2")
    assert caught.value.codes == (Code.SURVEY_UNKNOWN,)


def test_the_digest_follows_the_content_and_not_the_layout():
    survey = parse_survey(GOOD, "mine.yaml")
    assert survey.digest == parse_survey("# note\n" + GOOD.replace("[-9]", "[ -9.0 ]"), "x").digest
    assert survey.digest != parse_survey(GOOD.replace("Q == 4", "Q == 5"), "x").digest
    assert survey.native_columns == {"ID", "RA", "DEC", "Z", "Q"}


def test_all_mistakes_of_a_definition_are_told_with_their_lines():
    text = (GOOD.replace("Q == 4", "Q = 4").replace("year:", "yeer:").replace("then: 3", "then: 6")
            .replace("RA, unit: deg", "RA, unit: rad").replace("Q == 3", "QQ == 3"))
    places = {(problem.code, problem.where.split(":")[0]) for problem in refusal(text).problems}
    assert places == {
        (Code.SURVEY_INVALID, "mine.yaml"),  # the missing year
        (Code.SURVEY_INVALID, "mine.yaml line 7"),
        (Code.SURVEY_INVALID, "mine.yaml line 11"),
        (Code.RULE_SYNTAX, "mine.yaml line 17"),
        (Code.SURVEY_INVALID, "mine.yaml line 18"),
    }


def test_a_rule_may_read_only_columns_that_the_definition_names():
    error = refusal(GOOD.replace("Q == 3", "QQ == 3"))
    assert error.codes == (Code.RULE_COLUMN,)
    assert error.problems[0].where.startswith("mine.yaml line 18")
    named = GOOD.replace("Q == 3", "QQ == 3").replace("  native", "  others: [QQ]\n  native")
    assert "QQ" in parse_survey(named, "mine.yaml").native_columns


@pytest.mark.parametrize(("old", "new"), [
    ("key: my_survey", "key: My Survey"),
    ("key: my_survey", "key: ../etc"),
    ("year: 2024", "year: soon"),
    ("  otherwise: 0\n", ""),
    ("Q == 3", "Q == 4"),
    ("{from: Z, nulls", "{from: Z, formula: Z, nulls"),
    ("valid: [0, 7]", "valid: [7, 0]"),
    ("schema: 1", "schema: 2"),
    ("release: R1", "release: !!python/object/apply:os.system [true]"),
    ("release: R1", "release: R1\nrelease: R2"),
    ("schema: 1", "- schema"),
    ("ordinal: 77", "ordinal: 0"),
])
def test_a_wrong_definition_is_refused(old, new):
    assert set(refusal(GOOD.replace(old, new)).codes) == {Code.SURVEY_INVALID}


def test_a_missing_definition_is_refused(tmp_path):
    with pytest.raises(TsmError) as caught:
        load_survey(tmp_path / "none.yaml")
    assert caught.value.codes == (Code.FILE_MISSING,)
