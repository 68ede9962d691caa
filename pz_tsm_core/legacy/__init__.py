"""The older pipeline's files, unmodified: its rule file read, and tables homogenized by it."""

from pz_tsm_core.legacy.account import Account, Route, RuleCount, SurveyAccount
from pz_tsm_core.legacy.homogenize import Homogenized, homogenize
from pz_tsm_core.legacy.read import is_rule_file, load_rule_file, parse_rule_file
from pz_tsm_core.legacy.rule_file import Block, Condition, Dialect, Output, Parameters, RuleFile

__all__ = [
    "Account", "Block", "Condition", "Dialect", "Homogenized", "Output", "Parameters", "Route",
    "RuleCount", "RuleFile", "SurveyAccount", "homogenize", "is_rule_file", "load_rule_file",
    "parse_rule_file",
]
