"""The registry of surveys: one YAML file each, found by listing a folder."""

from pz_tsm_core.surveys.definition import SurveyRules, load_survey, parse_survey, survey_rules
from pz_tsm_core.surveys.registry import get_survey, registry, survey_keys
from pz_tsm_core.surveys.user import own_definition, survey_of_table

__all__ = [
    "SurveyRules", "get_survey", "load_survey", "own_definition", "parse_survey", "registry",
    "survey_keys", "survey_of_table", "survey_rules",
]
