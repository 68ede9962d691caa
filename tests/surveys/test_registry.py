"""What holds for every survey of the registry, and which surveys must be there."""

import re
import runpy
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from pybtex.database import parse_string

from pz_tsm_core.display.sources import check_published
from pz_tsm_core.legacy import load_rule_file
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.surveys import get_survey, registry, survey_keys

ROOT = Path(__file__).parents[2]
DATA = ROOT / "pz_tsm_core" / "surveys" / "data"
KEYS = survey_keys()
BIBCODE = re.compile(r"\b(?:19|20)\d\d(?=[A-Za-z])[\w&.]{14}[A-Z]\b")

#: The surveys of the existing pipeline: what its rule file of June 2026 calls them.
EXISTING = {
    "2DFGRS": "2dfgrs", "2DFLENS": "2dflens", "2MRS": "2mrs", "3D-HST": "3dhst", "6DFGS": "6dfgs",
    "ASTRODEEP": "astrodeep_gs43", "ASTRODEEP-JWST": "astrodeep_jwst", "C3R2_DR3": "c3r2",
    "COSMOS2020_CLASSIC": "cosmos2020_classic", "COSMOS_SRC": "cosmos_specz",
    "COSMOS_WEB": "cosmos_web", "DEIMOS_10K": "deimos10k", "DESI": "desi_edr",
    "DESI_DEEP_PILOT": "desi_deep_pilot", "DESI_DR1": "desi_dr1", "ELAISFBMC": "elais_fbmc",
    "ELAISS1OID": "elais_s1oid", "ELG_FIGS": "elg_figs", "EUCLID_Q1": "euclid_q1",
    "FMOS_COSMOS": "fmos_cosmos", "GAMA_DR4": "gama_dr4", "HELP-DMU23": "help_dmu23",
    "JADES": "jades_dr3", "JADES_DR5_PHOTOZ": "jades_dr5_photoz",
    "JADES_DR5_PHOTOZ_KRON": "jades_dr5_photoz_kron", "MOSDEF": "mosdef", "OZDES": "ozdes_dr2",
    "PRIMUS": "primus", "SDSS_DR17": "sdss_dr17", "SDSS_DR19": "sdss_dr19",
    "SWIRE-REVISED": "swire_revised", "VANDELS": "vandels", "VIMOS": "vimos_goods",
    "VIPERS_PDR2": "vipers_pdr2", "VUDS": "vuds_dr1", "VVDS": "vvds", "XMM_LSS": "xmm_lss",
    "ZCOSMOS": "zcosmos_bright",
}
#: The surveys that only the portal of DES knew, under its names. The portal does not say which of
#: MUSE's catalogues it has: its levels are borrowed for all of them.
PORTAL = {
    "ACES": "aces", "CLASH-VLT": "clash_vlt", "DEEP2": "deep2_dr4", "GLASS": "glass",
    "MUSE": "muse_hudf", "SAGA": "saga", "SpARCS": "sparcs", "SPT-GMOS": "spt_gmos", "UDS": "udsz",
    "WiggleZ": "wigglez", "ZFIRE": "zfire", "ATLAS": "atlas_atca", "CDB": "cdb",
    "MOSFIRE": "mosfire",
}


def test_most_surveys_are_verified():
    assert sum(survey.verified for survey in registry().values()) >= 55


def test_every_survey_of_the_existing_pipeline_and_of_the_portal_is_there():
    assert (len(EXISTING), len(PORTAL)) == (38, 14)
    assert {*EXISTING.values(), *PORTAL.values()} <= set(KEYS)


def test_the_existing_pipelines_rule_file_names_no_other(shared_data):
    file = load_rule_file(shared_data / "linea" / "flags_translation.yaml")
    assert set(file.rules) == set(EXISTING)


@pytest.mark.parametrize("key", KEYS)
def test_a_survey_says_what_it_rests_on(key):
    survey = get_survey(key)
    assert survey.citation
    assert survey.year
    assert survey.sources
    assert survey.types.keys() == survey.native_columns
    assert survey.evidence or survey.unverified
    assert survey.footprint.about


def test_every_catalogue_is_published_where_somebody_can_look():
    page = check_published()
    frame = page.to_pandas()
    assert set(frame.survey) == set(KEYS)
    by_hand = frame.groupby("survey").state.apply(set) == {"by hand"}
    assert page.facts["by hand"] == str(by_hand.sum())
    assert page.facts["from services"] == str((~by_hand).sum())
    assert (~by_hand).sum() >= 30


@pytest.mark.parametrize("key", KEYS)
def test_pages_for_people_stand_behind_what_programs_can_ask(key):
    services = [source.service for source in get_survey(key).sources]
    assert services == sorted(services, key=lambda service: service == "page")


@pytest.mark.parametrize("key", KEYS)
def test_every_paper_that_a_definition_names_is_in_the_bibliography(key):
    text = (DATA / f"{key}.yaml").read_text("utf-8")
    works = parse_string((files("pz_tsm_core.citations") / "references.bib").read_text("utf-8"),
                         "bibtex").entries
    assert {*BIBCODE.findall(text), *get_survey(key).citation} <= set(works)


@pytest.mark.parametrize("key", KEYS)
def test_definitions_have_one_form(key):
    text = (DATA / f"{key}.yaml").read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 100
    content = yaml.safe_load(text)
    order = [field.alias or name for name, field in Survey.model_fields.items()]
    order.remove("types")  # checked after the columns; people read them before
    order.insert(order.index("columns"), "types")
    assert list(content) == [name for name in order if name in content]
    assert content["key"] == key


def test_no_ordinal_stands_twice():
    ordinals = [survey.ordinal for survey in registry().values()]
    assert ordinals == list(range(1, len(KEYS) + 1))


def test_no_two_surveys_have_one_name():
    assert len({survey.name for survey in registry().values()}) == len(KEYS)


def test_catalogues_of_photometric_redshifts_rank_below_all():
    for key, survey in registry().items():
        kinds = {survey.instrument_type.otherwise,
                 *(rule.then for rule in survey.instrument_type.rules)}
        assert kinds != {"p"} or survey.rank == -2, key
        assert survey.rank == 0 or (survey.rank in (-1, -2) and survey.ordinal > 13), key


def test_the_page_of_all_surveys_is_made_from_the_definitions():
    page = runpy.run_path(str(ROOT / "docs" / "make_surveys.py"))["page"]
    assert (ROOT / "docs" / "reference" / "surveys.md").read_text("utf-8") == page()
