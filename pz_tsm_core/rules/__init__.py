"""The flag-rule language: text, checked expression, vectorised mask. Never eval."""

from pz_tsm_core.rules.check import Kind, column_kinds
from pz_tsm_core.rules.expression import Expression, parse
from pz_tsm_core.rules.first_match import FirstMatch, first_match
from pz_tsm_core.rules.tested import tested_values
from pz_tsm_core.rules.write import write

__all__ = [
    "Expression", "FirstMatch", "Kind", "column_kinds", "first_match", "parse", "tested_values",
    "write",
]
