"""Why rows of a survey are what they are: by rule, and by native value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.survey import RuleList, Survey
from pz_tsm_core.ops.admit import admit
from pz_tsm_core.ops.decide import DECIDED, Values, by_value, decide, flag_columns, shown
from pz_tsm_core.rules import FirstMatch
from pz_tsm_core.surveys import survey_rules

#: Rows of the table, shape (n,).
Rowed = npt.NDArray[np.intp]

#: Rows of each rule that are shown.
EXAMPLES = 3


@dataclass(frozen=True)
class RuleRows:
    """A rule of a list and the rows that it decided.

    Parameters
    ----------
    when : the condition; `otherwise` for rows that no rule decided
    gives : what follows; None where the definition does not say it
    examples : the first rows, counted from 0 in the table, with what the rules read there
    """

    when: str
    gives: int | str | None
    source: str
    rows: int
    examples: tuple[tuple[int, dict[str, str]], ...]


@dataclass(frozen=True)
class Explained:
    """How one quantity came about.

    Parameters
    ----------
    quantity : quality, object_class or instrument_type
    rules : in their order, and last what holds otherwise
    values : native values of the flag, with the rule that decided such rows; the most frequent
    undecided : native values of rows for which no rule of several holds; the most frequent
    """

    quantity: str
    rules: tuple[RuleRows, ...]
    values: tuple[Values, ...]
    undecided: tuple[Values, ...]


@dataclass(frozen=True)
class Explanation:
    """What the rules of a survey make of a table.

    Parameters
    ----------
    rows : of the table; those that become measurements, of which all counts are; the others
    """

    survey: Survey
    rows: Rows
    quantities: tuple[Explained, ...]


def explain(table: pa.Table, survey: Survey) -> Explanation:
    """Say which rule decided which rows, and what fell to none.

    Rows without a position or redshift leave first, as in `standardize`, so that counts are those
    of a run's manifest.

    Raises
    ------
    TsmError
        as `standardize` for columns; bad positions and undecided rows are counted, not refused.
    """
    admitted = admit(table, survey, bad_positions="drop")
    native = admitted.native.filter(pa.array(admitted.kept))
    places = np.flatnonzero(admitted.kept)
    decided = decide(native, survey)
    rows = Rows(taken=len(table), given=len(native), dropped=admitted.dropped)
    return Explanation(survey, rows, tuple(
        _explained(name, native, places, survey, decided[name]) for name in DECIDED))


def _explained(
    name: str, native: pa.Table, places: Rowed, survey: Survey, match: FirstMatch[Any]
) -> Explained:
    rules = tuple(_rule_rows(name, native, places, survey, match))
    columns = flag_columns(survey, name)
    otherwise = match.index == len(rules) - 1
    left = native.filter(pa.array(otherwise)) if len(rules) > 1 else native[:0]
    return Explained(
        name, rules,
        tuple(replace(each, first=int(places[each.first]))
              for each in (by_value(native, columns, match) if columns else ())),
        tuple(replace(each, rule=len(rules) - 1, first=int(places[otherwise][each.first]))
              for each in by_value(left, columns)))


def _rule_rows(
    name: str, native: pa.Table, places: Rowed, survey: Survey, match: FirstMatch[Any]
) -> Iterator[RuleRows]:
    rules: RuleList[Any] = getattr(survey, name)
    conditions = getattr(survey_rules(survey), name)
    read = sorted(set().union(*(condition.columns for condition, _ in conditions)))
    lines = [*((rule.when, rule.then, rule.source) for rule in rules.rules),
             ("otherwise", rules.otherwise, rules.source)]
    for number, (when, gives, source) in enumerate(lines):
        first = np.flatnonzero(match.index == number)[:EXAMPLES]
        there = native.select(read).take(pa.array(first))
        texts = [shown(column) for column in there.columns]
        examples = tuple(
            (int(places[row]), {column: text[place]
                                for column, text in zip(read, texts, strict=True)})
            for place, row in enumerate(first))
        yield RuleRows(when, gives, source, match.hits[number], examples)
