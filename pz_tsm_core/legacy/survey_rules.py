"""The rules of one survey over its rows: the last condition, then the values, then the default."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, Problems, nearest, refuse
from pz_tsm_core.legacy.account import RuleCount, SurveyAccount
from pz_tsm_core.legacy.calls import number_column
from pz_tsm_core.legacy.columns import of_a_table, with_numbers
from pz_tsm_core.legacy.rule_file import Block, Outcome, Output, Raw
from pz_tsm_core.legacy.text import is_text
from pz_tsm_core.legacy.translate import translate
from pz_tsm_core.rules import Expression, FirstMatch, Kind, first_match
from pz_tsm_core.rules.tree import Call, Column, Compare, Literal, Node, Not

Rule = tuple[Expression, Outcome]

#: How many values that no rule mentions are told of one survey.
MAX_UNMENTIONED = 20


def decide(
    survey: str, block: Block, table: pa.Table, *, nullable: bool, overlaps: bool
) -> tuple[FirstMatch[Outcome], SurveyAccount]:
    """Decide every row of a survey.

    Parameters
    ----------
    table : converted, the rows of the survey and the columns of the block alone
    nullable : as in `homogenize`
    overlaps : whether to count what conditions take from one another

    Raises
    ------
    TsmError
        with every column that is missing or of a kind that the rules cannot read.
    """
    conditions, values = _conditions(block, table.schema, nullable=nullable), _values(block, table)
    rules = [*reversed(conditions), *reversed(values)]
    wanted = frozenset[str]().union(*(expression.columns for expression, _ in rules))
    table = with_numbers(table, wanted)
    _check([*values, *conditions], table.schema)
    match = first_match(rules, table, otherwise=block.default)
    taken = _overwritten(conditions, table) if overlaps else [0] * len(conditions)
    hits = match.hits
    rows = [*reversed(hits[:-1]), hits[-1]]
    counts = tuple(
        RuleCount(expression.text, outcome, count, lost)
        for (expression, outcome), count, lost in zip(
            [*values, *conditions], rows[:-1], [*[0] * len(values), *taken], strict=True)
    )
    account = SurveyAccount(survey, (*counts, RuleCount("default", block.default, rows[-1])),
                            _unmentioned(block, table, match) if rules else {})
    return match, account


def _conditions(block: Block, schema: pa.Schema, *, nullable: bool) -> list[Rule]:
    columns = of_a_table(schema, nullable=nullable)
    return [
        (translate(each.expression.text, each.expression.where, columns), each.outcome)
        for each in block.conditions
    ]


def _values(block: Block, table: pa.Table) -> list[Rule]:
    """The mapped values as rules; a null outcome leaves the default, as the original does."""
    mapped = [(key, outcome) for key, outcome in block.values if outcome is not None]
    if not mapped:
        return []
    if block.source not in table.column_names:
        if block.optional_source:
            return []
        raise refuse(Code.TABLE_MISSING_COLUMN, f"{block.where}.source",
                     found=f"no column `{block.source}`", expected="a column of the table",
                     remedy=nearest(block.source, table.column_names))
    return [
        (Expression(f"{block.source} == {key!r}", _equal(block, table.schema, key), Kind.TRUTH,
                    block.where), outcome)
        for key, outcome in mapped
    ]


def _equal(block: Block, schema: pa.Schema, key: Raw) -> Node:
    """Whether the source column has a mapped value: texts without blanks, in any case."""
    column: Node = Column(1, block.source)
    type_ = schema.field(block.source).type
    if is_text(type_) and block.output is not Output.Z_FLAG:
        plain = Call(1, "lower", Call(1, "strip", column))
        return Compare(1, "==", plain, Literal(1, str(key).strip().lower()))
    try:
        number = float(key)
    except ValueError:
        raise refuse(Code.TABLE_COLUMN_TYPE, f"{block.where}.{key}", found=f"values of {type_}",
                     expected=f"texts in the column {block.source}, such as `{key}`",
                     remedy="name another column in `source`, or map its numbers") from None
    if pa.types.is_boolean(type_):
        truths: dict[float, Node] = {1: column, 0: Not(1, column)}
        return truths.get(number, Literal(1, value=False))
    if is_text(type_):
        column = number_column(Column(1, block.source))
    return Compare(1, "==", column, Literal(1, number))


def _check(rules: list[Rule], schema: pa.Schema) -> None:
    problems = Problems()
    for expression, _ in rules:
        problems.extend(expression.problems(schema))
    problems.raise_if_any()


def _overwritten(conditions: list[Rule], table: pa.Table) -> list[int]:
    """Rows that each condition takes from an earlier one with another outcome."""
    outcomes = list(dict.fromkeys(outcome for _, outcome in conditions))
    held = np.full(len(table), -1, np.int8)
    taken = []
    for expression, outcome in conditions:
        holds, code = expression.mask(table), outcomes.index(outcome)
        taken.append(int(np.count_nonzero(holds & (held >= 0) & (held != code))))
        held[holds] = code
    return taken


def _unmentioned(block: Block, table: pa.Table, match: FirstMatch[Any]) -> dict[str, int]:
    """Values of the flag, or of the mapped column, in rows at the default."""
    if block.source not in table.column_names:
        return {}
    left: npt.NDArray[np.bool_] = match.index == len(match.choices) - 1
    counts = pc.value_counts(table[block.source].filter(pa.array(left))).to_pylist()
    counts.sort(key=lambda each: (-each["counts"], str(each["values"])))
    return {_shown(each["values"]): each["counts"] for each in counts[:MAX_UNMENTIONED]}


def _shown(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)
