"""How homogenized columns came about: which rule decided how many rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pz_tsm_core.legacy.rule_file import Outcome, Output


class Route(StrEnum):
    """The three ways to a homogenized column, and the way of one that cannot be made."""

    GIVEN = "the table has it already"
    FAST_PATH = "read off a column that tells it for every survey"
    RULES = "by the rules of each survey"
    SKIPPED = "left without values: its rules do not fit the table"


@dataclass(frozen=True)
class RuleCount:
    """What one rule of a survey did.

    Parameters
    ----------
    rule : the expression in Python, `column == value` of a mapped value, or `default`
    rows : how many rows it decided
    overwritten : how many rows it took from an earlier condition with another outcome; counted in
        the newer dialect, and there where overlap is not declared
    """

    rule: str
    outcome: Outcome
    rows: int
    overwritten: int = 0


@dataclass(frozen=True)
class SurveyAccount:
    """What the rules of one survey did.

    Parameters
    ----------
    counts : every rule in the order of the file, and last the default
    unmentioned : values of the flag that no rule decided -> rows, the most frequent first
    """

    survey: str
    counts: tuple[RuleCount, ...]
    unmentioned: dict[str, int]

    @property
    def at_default(self) -> int:
        """Rows that no rule decided."""
        return self.counts[-1].rows


@dataclass(frozen=True)
class Account:
    """How one homogenized column came about.

    Parameters
    ----------
    surveys : by name; empty unless rules decided
    without_rules : rows without a survey, or of one that has no rules
    """

    output: Output
    route: Route
    surveys: tuple[SurveyAccount, ...] = ()
    without_rules: int = 0
