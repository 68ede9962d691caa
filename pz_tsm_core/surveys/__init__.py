"""The registry of surveys: one YAML file each, found by listing a folder; and a user's own."""

from pz_tsm_core.surveys.check import check_definitions, remarks
from pz_tsm_core.surveys.definition import SurveyRules, load_survey, parse_survey, survey_rules
from pz_tsm_core.surveys.registry import get_survey, registry, survey_keys
from pz_tsm_core.surveys.search import Found, Search, instrument_types, position_of, search
from pz_tsm_core.surveys.user import (
    known_surveys,
    own_definition,
    own_surveys,
    survey_of_table,
)

__all__ = [
    "Found", "Search", "SurveyRules", "check_definitions", "get_survey", "instrument_types",
    "known_surveys", "load_survey", "own_definition", "own_surveys", "parse_survey", "position_of",
    "registry", "remarks", "search", "survey_keys", "survey_of_table", "survey_rules",
]
