"""What the rules of a survey say of its rows, and an account of it by rule and native value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, Problems
from pz_tsm_core.model.survey import RuleList, Survey
from pz_tsm_core.ops.native_values import SHOWN
from pz_tsm_core.rules import FirstMatch, first_match, tested_values
from pz_tsm_core.surveys import survey_rules

#: What the rules of a survey decide.
DECIDED = ("quality", "object_class", "instrument_type")

#: Native values that an account tells one by one; the rest is one number.
TOLD = 100
#: Longer texts are cut; a catalogue's remarks would fill a manifest.
_LONGEST = 80

Decided = Mapping[str, FirstMatch[Any]]


@dataclass(frozen=True)
class Values:
    """Rows that hold the same in the columns of a flag and were decided by the same rule.

    Parameters
    ----------
    native : column -> its value as a rule would write it, such as `4`, `'A  '`, `true`, `null`
    rule : place of the rule among those of the list; their number where none decided
    rows : how many
    first : the first of them, counted from 0
    """

    native: dict[str, str]
    rule: int
    rows: int
    first: int

    def __str__(self) -> str:
        return ", ".join(f"{column} {value}" for column, value in self.native.items())


def decide(native: pa.Table, survey: Survey) -> dict[str, FirstMatch[Any]]:
    """Which rule decides each row of a native table, for each quantity that rules decide."""
    rules = survey_rules(survey)
    return {
        name: first_match(getattr(rules, name), native, otherwise=getattr(survey, name).otherwise)
        for name in DECIDED
    }


def hits(survey: Survey, decided: Decided) -> dict[str, int]:
    """How many rows each rule decided, and none of them: `quality: ZWARN == 0` -> rows."""
    found: dict[str, int] = {}
    for name, match in decided.items():
        texts = [rule.when for rule in getattr(survey, name).rules]
        labels = [f"{name}: {text}" for text in (*texts, "otherwise")]
        found.update(zip(labels, match.hits, strict=True))
    return found


def undecided_values(native: pa.Table, survey: Survey, decided: Decided) -> dict[str, int]:
    """Native values of the rows that no rule decided: `quality: Q 5` -> rows.

    For each quantity that has rules, the `TOLD` most frequent; all others together under
    `quality: other values`. What no rule is meant to decide is not counted.
    """
    found: dict[str, int] = {}
    for name, match in decided.items():
        rules: RuleList[Any] = getattr(survey, name)
        if rules.rules and match.hits[-1]:
            left = native.filter(pa.array(match.index == len(rules.rules)))
            values = by_value(left, flag_columns(survey, name))
            found.update({f"{name}: {each}": each.rows for each in values})
            if others := len(left) - sum(each.rows for each in values):
                found[f"{name}: other values"] = others
    return found


def flag_columns(survey: Survey, name: str) -> tuple[str, ...]:
    """Columns whose values the rules of a quantity tell apart: flags, classes, grades.

    Of the columns that the rules read: the survey's flag, and those that are compared with single
    values and never measured against a limit; where there are none, all of them.
    """
    trees = [condition.tree for condition, _ in getattr(survey_rules(survey), name)]
    single, measured = tested_values(trees)
    read = single | measured
    flag = survey.columns.native_flag
    first = {flag.from_} & read if flag else set()
    return (*first, *sorted(single - measured - first)) or tuple(sorted(read))


def by_value(
    native: pa.Table, columns: tuple[str, ...], match: FirstMatch[Any] | None = None
) -> tuple[Values, ...]:
    """Rows counted by their values in some columns and, if told, by the rule that decided them.

    The `TOLD` most frequent, the first of equal ones by value: the order of rows does not matter.
    """
    if not len(native):
        return ()
    index = np.zeros(len(native), np.int64) if match is None else match.index.astype(np.int64)
    # Names of columns are anybody's: numbers stand for them.
    keys = [*(str(place) for place in range(len(columns))), "rule"]
    table = pa.table([*(_plain(native[name]) for name in columns), index, np.arange(len(native))],
                     names=[*keys, "row"])
    groups = table.group_by(keys).aggregate([([], "count_all"), ("row", "min")])
    order = [("count_all", "descending"), *((key, "ascending") for key in keys)]
    groups = groups.take(pc.select_k_unstable(groups, TOLD, order))
    texts = zip(*(_texts(groups[key]) for key in keys[:-1]), strict=True)
    numbers = (groups[name].to_pylist() for name in ("rule", "count_all", "row_min"))
    return tuple(
        Values(dict(zip(columns, native_values, strict=True)), *counted)
        for native_values, *counted in zip(texts if columns else [()] * len(groups), *numbers,
                                           strict=True))


def shown(column: pa.ChunkedArray) -> list[str]:
    """Values as a rule would write them; long texts are cut."""
    return _texts(_plain(column))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of a type that can be counted; NaN is null, as in rules."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return _plain(column.cast(type_.value_type))
    if pa.types.is_floating(type_):
        wide = column.cast(pa.float32()) if pa.types.is_float16(type_) else column
        return pc.if_else(pc.is_nan(wide), pa.scalar(None, wide.type), wide)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pc.utf8_slice_codeunits(column, 0, _LONGEST + 1)
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return column
    return column.cast(pa.string())


def _texts(values: pa.ChunkedArray) -> list[str]:
    quoted = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    texts = values.cast(pa.string()).to_pylist()
    return ["null" if text is None else _quoted(text) if quoted else text for text in texts]


def _quoted(text: str) -> str:
    doubled, more = text[:_LONGEST].replace("'", "''"), "..." * (len(text) > _LONGEST)
    return f"'{doubled}{more}'"


def refuse_undecided(survey: Survey, native: pa.Table, decided: Decided) -> None:
    """Refuse rows that no rule decides where the definition does not say what holds otherwise."""
    problems = Problems()
    for name, match in decided.items():
        if match.choices[-1] is None and match.hits[-1]:
            flag = survey.columns.native_flag
            rows = np.flatnonzero(match.index == len(match.choices) - 1)[:SHOWN]
            examples = native[flag.from_].take(pa.array(rows)).to_pylist() if flag else []
            problems.add(Code.VALUE_RANGE, f"survey {survey.key}, {name}",
                         found=f"{match.hits[-1]} rows without a rule, such as {examples}",
                         expected="one of " + ", ".join(str(c) for c in match.choices[:-1]),
                         remedy="map the values to this scale first (README: quality)")
    problems.raise_if_any()
