"""Survey definitions: what the registry holds and how mistakes in a definition are told."""

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.surveys import (
    get_survey,
    load_survey,
    parse_survey,
    registry,
    survey_keys,
    survey_rules,
)

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
        ("astrodeep_gs43", 12), ("candels", 13),
        ("sdss_dr17", 14), ("sdss_dr19", 15), ("sdss_dr16q", 16), ("desi_edr", 17),
        ("desi_deep_pilot", 18), ("gama_dr3", 19), ("gama_dr4", 20), ("wigglez", 21), ("vvds", 22),
        ("vipers_pdr2", 23), ("zcosmos_bright", 24), ("zcosmos_deep", 25), ("deep2_dr4", 26),
        ("deep3", 27), ("aces", 28), ("ozdes_dr1", 29), ("ozdes_dr2", 30), ("ages", 31),
        ("c3r2", 32), ("legac", 33), ("fmos_cosmos", 34), ("hcosmos", 35), ("deimos10k", 36),
        ("udsz", 37), ("saga", 38), ("clash_vlt", 39), ("muse_hudf", 40), ("muse_clusters", 41),
        ("muse_wide_uv", 42), ("jades_dr3", 43), ("goods_fors2", 44), ("hectomap", 45),
        ("shels", 46), ("2qz", 47), ("lcrs", 48), ("hetdex_sc1", 49), ("zfire", 50),
        ("kmos3d", 51), ("xxl_aaomega", 52), ("spt_gmos", 53), ("xmm_lss", 54), ("elais_fbmc", 55),
        ("elais_s1oid", 56), ("lamost", 57), ("glass", 58), ("euclid_q1", 59), ("elg_figs", 60),
        ("swire_revised", 61), ("atlas_atca", 62), ("sparcs", 63), ("mosfire", 64), ("cdb", 65),
        ("ned", 66), ("cosmos_specz", 67), ("help_dmu23", 68), ("southern_compilation", 69),
        ("astrodeep_jwst", 70), ("cosmos2020_classic", 71), ("cosmos_web", 72),
        ("jades_dr5_photoz", 73), ("jades_dr5_photoz_kron", 74)]


def test_a_survey_alone_is_the_survey_among_all():
    assert sorted(registry()) == list(survey_keys())
    for key, survey in registry().items():
        assert get_survey(key) == survey, key  # with every rule tried
        assert survey.key == key
        read = set().union(*(rule.columns for rule in survey_rules(survey).expressions))
        assert read <= survey.native_columns


def test_an_unknown_survey_is_told_the_nearest():
    with pytest.raises(TsmError, match="did you mean `vandels`") as caught:
        get_survey("vandel")
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
    ("release: R1", "release: " + "[" * 5_000),
    ("schema: 1", "- " * 100_000 + "schema: 1"),
])
def test_a_wrong_definition_is_refused(old, new):
    assert set(refusal(GOOD.replace(old, new)).codes) == {Code.SURVEY_INVALID}


def test_a_missing_definition_is_refused(tmp_path):
    with pytest.raises(TsmError) as caught:
        load_survey(tmp_path / "none.yaml")
    assert caught.value.codes == (Code.FILE_MISSING,)
