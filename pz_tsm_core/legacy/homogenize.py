"""The homogenized columns of a table, as the older pipeline makes them by its rule file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, Problem, Problems, TsmError, nearest, refuse
from pz_tsm_core.legacy.account import Account, Route, SurveyAccount
from pz_tsm_core.legacy.columns import SHOWN, convert, narrow
from pz_tsm_core.legacy.rule_file import Block, Dialect, Output, RuleFile
from pz_tsm_core.legacy.survey_rules import decide


@dataclass(frozen=True)
class Homogenized:
    """A table with its homogenized columns, and how they came about.

    Parameters
    ----------
    table : the converted table with `z_flag_homogenized` (float64), `instrument_type_homogenized`
        (string) and in the newer dialect `object_type_homogenized` (string), null where nothing
        is known; rows in their order
    accounts : of each of these columns
    unread : flags of surveys with letters that are neither numbers nor known letters -> rows
    skipped : why a column that decides no ties has no values
    """

    table: pa.Table
    accounts: Mapping[Output, Account]
    unread: Mapping[str, int]
    skipped: tuple[Problem, ...] = ()


def homogenize(
    table: pa.Table,
    columns: Mapping[str, str | None],
    rules: RuleFile,
    *,
    nullable: bool = False,
) -> Homogenized:
    """Bring a catalogue to the homogenized columns of the older pipeline, to the letter.

    Parameters
    ----------
    table : one catalogue with all its native columns
    columns : standard name (id, ra, dec, z, z_flag, z_err, survey ...) -> native name
    nullable : whether the catalogue comes from CSV, FITS or HDF5: the older pipeline then never
        takes a missing number for unequal to something, as it does in one from Parquet

    Raises
    ------
    TsmError
        with every survey without rules, every column that rules miss, every value outside the
        scale, and with a column that has no value at all although ties are decided by it.

    Examples
    --------
    >>> from pz_tsm_core.legacy import parse_rule_file
    >>> rules = parse_rule_file('''
    ... translation_rules:
    ...   TWO: {z_flag_translation: {1: 0, 4: 4, conditions: [{expr: z_err > 1, value: 1}]},
    ...         instrument_type_translation: {default: s}}
    ... ''', "flags_translation.yaml")
    >>> table = pa.table({"Q": [1, 4, 4, 9], "e": [.1, .1, 2, .1], "name": ["two"] * 4})
    >>> done = homogenize(table, {"z_flag": "Q", "z_err": "e", "survey": "name"}, rules)
    >>> done.table["z_flag_homogenized"].to_pylist()
    [0.0, 4.0, 1.0, None]
    >>> done.accounts["z_flag"].surveys[0].unmentioned
    {'9': 1}
    """
    converted = convert(table, columns)
    made = converted.table
    problems, skipped = Problems(), Problems()
    accounts: dict[Output, Account] = {}
    for output in _outputs(rules, made):
        try:
            values, accounts[output] = _decided(made, output, rules, nullable=nullable)
        except TsmError as error:
            (problems if rules.requires(output) else skipped).extend(error.problems)
            values = pa.nulls(len(made), _type(output))
            accounts[output] = Account(output, Route.SKIPPED)
        made = _with_column(made, output.column, values)
        if output is Output.INSTRUMENT_TYPE and accounts[output].route is Route.FAST_PATH:
            made = _with_column(made, "instrument_type", values)  # as the original does
    problems.raise_if_any()
    return Homogenized(made, MappingProxyType(accounts), converted.unread, skipped.found)


def _outputs(rules: RuleFile, table: pa.Table) -> list[Output]:
    given = [output for output in Output if output.column in table.column_names]
    return [output for output in Output if output in (*rules.outputs, *given)]


def _type(output: Output) -> pa.DataType:
    return pa.float64() if output is Output.Z_FLAG else pa.string()


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)


def _decided(
    table: pa.Table, output: Output, rules: RuleFile, *, nullable: bool
) -> tuple[pa.Array, Account]:
    """The values of one homogenized column, by the first of three routes that is open."""
    values, account = _routed(table, output, rules, nullable=nullable)
    _refuse_nothing(values, output, rules)
    return values, account


def _routed(
    table: pa.Table, output: Output, rules: RuleFile, *, nullable: bool
) -> tuple[pa.Array, Account]:
    if output.column in table.column_names:
        return _given(table, output, rules), Account(output, Route.GIVEN)
    surveys = [name for name in pc.unique(table["survey"]).to_pylist() if name is not None]
    blocks = {name: rules.rules[name][output] for name in sorted(surveys)
              if output in rules.rules.get(name, {})}
    fast = _fast_path(table, output, blocks)
    if fast is not None:
        return fast, Account(output, Route.FAST_PATH)
    if rules.requires(output):
        _check_coverage(surveys, output, rules)
    return _by_rules(table, output, rules, blocks, nullable=nullable)


def _given(table: pa.Table, output: Output, rules: RuleFile) -> pa.Array:
    """The values that a table brings, when they are of the scale."""
    values, domain = table[output.column], output.domain(rules.dialect)
    wrong = values.filter(pc.invert(pc.is_in(values, pa.array(domain, _type(output)))))
    wrong = wrong.drop_null()
    if len(wrong):
        raise refuse(Code.VALUE_RANGE, f"column {output.column}",
                     found=f"{len(wrong)} values such as {pc.unique(wrong)[:SHOWN].to_pylist()}",
                     expected="one of " + ", ".join(f"{each}" for each in domain) + ", or null",
                     remedy="correct the column, or leave it out and let rules decide")
    return values


def _fast_path(
    table: pa.Table, output: Output, blocks: Mapping[str, Block]
) -> pa.Array | None:
    """The column read off `z_flag` or `type`, where that is possible and no rule forbids it."""
    policies = {block.fast_path for block in blocks.values()} - {"auto"}
    where = ", ".join(block.where for block in blocks.values() if block.fast_path != "auto")
    if len(policies) > 1:
        raise refuse(Code.LEGACY_FILE, where, found="fast_path both required and disabled",
                     expected="one policy for all surveys of a catalogue",
                     remedy="correct one of the two")
    if "disabled" in policies or output not in _FAST_PATHS:
        return None
    values = _FAST_PATHS[output](table)
    if values is None and policies:
        raise refuse(Code.LEGACY_FILE, where, found="fast_path required",
                     expected="z_flag from 0 to 1 with fractions, or type of s, g and p only",
                     remedy="remove `fast_path`, or correct the table")
    return values


def _from_probability(table: pa.Table) -> pa.Array | None:
    """Qualities from a z_flag that is a probability: all in [0, 1], one at least inside."""
    flags = pc.fill_null(table["z_flag"], np.nan).to_numpy()
    known = flags[~np.isnan(flags)]
    inside = (known > 0) & (known < 1)
    if not inside.any() or not (inside | (known == 0) | (known == 1)).all():
        return None
    steps = 1.0 + np.searchsorted([0.7, 0.9, 0.99], flags, side="right")
    return pa.array(np.where(flags == 0, 0.0, steps), mask=np.isnan(flags))


def _from_type(table: pa.Table) -> pa.Array | None:
    """Instrument types from a column `type` that holds nothing else."""
    if "type" not in table.column_names:
        return None
    letters = set(pc.unique(table["type"]).to_pylist()) - {None}
    return table["type"] if letters and letters <= {"s", "g", "p"} else None


_FAST_PATHS: Mapping[Output, Callable[[pa.Table], pa.Array | None]] = {
    Output.Z_FLAG: _from_probability, Output.INSTRUMENT_TYPE: _from_type,
}


def _check_coverage(surveys: list[str], output: Output, rules: RuleFile) -> None:
    known = [name for name, blocks in rules.rules.items() if output in blocks]
    problems = Problems()
    for name in sorted(set(surveys) - set(known)):
        problems.add(Code.LEGACY_SURVEY, f"{rules.name}: translation_rules",
                     found=f"no {output.block} for the survey {name}",
                     expected="rules for every survey of the table", remedy=nearest(name, known))
    problems.raise_if_any()


def _by_rules(
    table: pa.Table, output: Output, rules: RuleFile, blocks: Mapping[str, Block], *,
    nullable: bool,
) -> tuple[pa.Array, Account]:
    """Each survey by its own rules, all mistakes of all surveys at once."""
    domain = output.domain(rules.dialect)
    codes = np.full(len(table), -1, np.int8)
    problems, accounts = Problems(), list[SurveyAccount]()
    decided = np.zeros(len(table), dtype=bool)
    for survey, block in blocks.items():
        rows = np.asarray(pc.fill_null(pc.equal(table["survey"], survey), fill_value=False))
        own = narrow(table, block.columns)
        own = own if rows.all() else own.filter(pa.array(rows))
        try:
            overlaps = rules.dialect is Dialect.NEWER and not block.allow_condition_overlap
            match, account = decide(survey, block, own, nullable=nullable, overlaps=overlaps)
        except TsmError as error:
            problems.extend(error.problems)
            continue
        choices = [-1 if choice is None else domain.index(choice) for choice in match.choices]
        codes[rows] = np.array(choices, np.int8)[match.index]
        decided |= rows
        accounts.append(account)
    problems.raise_if_any()
    values = pa.array(domain, _type(output)).take(pa.array(codes, mask=codes < 0))
    without = int(np.count_nonzero(~decided))
    return values, Account(output, Route.RULES, tuple(accounts), without)


def _refuse_nothing(values: pa.Array, output: Output, rules: RuleFile) -> None:
    """Refuse a column without any value where ties are decided by it."""
    allowed = output is Output.Z_FLAG and rules.dialect is Dialect.NEWER
    if rules.requires(output) and not allowed and len(values) == values.null_count > 0:
        raise refuse(Code.VALUE_RANGE, f"column {output.column}", found="no row with a value",
                     expected="one at least: ties are decided by this column",
                     remedy=f"check the columns of the catalogue and its {output.block}")
