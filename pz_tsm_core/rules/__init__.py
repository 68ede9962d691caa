"""The flag-rule language: text, checked expression, vectorised mask. Never eval."""

from pz_tsm_core.rules.expression import Expression, check_all, parse
from pz_tsm_core.rules.first_match import FirstMatch, first_match

__all__ = ["Expression", "FirstMatch", "check_all", "first_match", "parse"]
