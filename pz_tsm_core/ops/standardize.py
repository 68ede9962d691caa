"""From a survey's native table to the standard columns on the one quality scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, nearest
from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.model.survey import AngleColumn, NumberColumn, Survey
from pz_tsm_core.ops.identify import identify, row_ids
from pz_tsm_core.ops.native_row import native_text
from pz_tsm_core.ops.native_values import SHOWN, Floats, numbers, positions
from pz_tsm_core.rules import FirstMatch, Kind, column_kinds, first_match
from pz_tsm_core.surveys import SurveyRules, survey_rules

Mask = npt.NDArray[np.bool_]

#: What the rules of a survey decide.
_DECIDED = ("quality", "object_class", "instrument_type")

#: How files write the units of angles that are plain numbers.
_UNITS = {"deg": ("deg", "degree", "degrees"), "hour": ("h", "hour", "hours", "hourangle")}


@dataclass(frozen=True)
class Standardized:
    """The measurements of one survey and the account of how they came about.

    Parameters
    ----------
    table : `model.schema.MEASUREMENT`, sorted by row_id
    rows : native rows in, measurements out, the others by their reason for leaving
    rule_hits : `quality: ZWARN == 0` -> measurements that the rule decided, `quality: otherwise`
        -> those that none did; every rule is listed, also with 0
    """

    table: pa.Table
    rows: Rows
    rule_hits: dict[str, int]


def standardize(
    table: pa.Table, survey: Survey, *, bad_positions: Literal["refuse", "drop"] = "refuse"
) -> Standardized:
    """Bring a native table to the standard columns; the order of its rows does not matter.

    A row leaves as `no_redshift` (null, NaN, infinite or a sentinel of the survey), as
    `redshift_out_of_range`, or, where bad positions are dropped and not refused, as `no_position`
    or `position_out_of_range`; the reason of a row with several is the first of
    no_position, position_out_of_range, no_redshift, redshift_out_of_range.

    Parameters
    ----------
    table : at least the native columns that the survey names
    bad_positions : what to do with rows whose ra is not in [0, 360) or dec not in [-90, 90] deg

    Raises
    ------
    TsmError
        with every missing or unusable column, or with every kind of bad position.
    """
    rules = survey_rules(survey)
    _check_columns(table, survey, rules)
    _check_units(table, survey)
    native = table.select(sorted(survey.native_columns)).combine_chunks()
    ra, dec = positions(native, survey.columns)
    z = numbers(native, survey.columns.z, rules.formulas.get("z"))
    if bad_positions == "refuse":
        _refuse_bad_positions(ra, dec, survey)
    leaving = _leaving(ra, dec, z, survey.columns.z.valid)
    kept = ~np.logical_or.reduce(list(leaving.values()))
    identity = identify(native, survey).filter(kept)
    native = native.filter(pa.array(kept))
    decided = {
        name: first_match(getattr(rules, name), native, otherwise=getattr(survey, name).otherwise)
        for name in _DECIDED
    }
    _refuse_undecided(survey, native, decided)
    result = _measurements(survey, len(native), {
        "row_id": row_ids(survey, identity),
        "native_id": identity.native_id,
        "native_key": identity.native_key,
        "native_rank": identity.native_rank,
        "ra": ra[kept], "dec": dec[kept], "z": z[kept],
        "z_err": _z_err(native, survey, rules),
        "native_flag": _native_flag(native, survey),
        **{name: match.values(_type(name)) for name, match in decided.items()},
    })
    dropped = {reason: int(rows.sum()) for reason, rows in leaving.items()}
    rows = Rows(taken=len(table), given=len(result), dropped=dropped)
    return Standardized(result, rows, _hits(survey, decided))


def _check_columns(table: pa.Table, survey: Survey, rules: SurveyRules) -> None:
    """Refuse a table with every native column that is missing, doubled or of a wrong type."""
    problems, names = Problems(), table.column_names
    for name in sorted(survey.native_columns):
        where = f"survey {survey.key}, column {name}"
        if names.count(name) > 1:
            problems.add(Code.TABLE_DUPLICATE_COLUMN, where, found="two columns of that name",
                         expected="one", remedy="rename or remove one of them")
        elif name not in names:
            problems.add(Code.TABLE_MISSING_COLUMN, where, found="no such column",
                         expected=f"the native columns of {survey.name}",
                         remedy=nearest(name, names))
    problems.raise_if_any()
    text: set[str] = set()  # rules over these columns would only say the same again
    for name, column in _number_columns(survey):
        type_ = table.schema.field(column).type
        if column_kinds(table.schema).get(column) not in (Kind.NUMBER, Kind.UNKNOWN):
            text.add(column)
            problems.add(Code.TABLE_COLUMN_TYPE, f"survey {survey.key}, column {column}",
                         found=f"values of type {type_}", expected=f"numbers, for {name}",
                         remedy="convert the column to a number")
    told = {(problem.code, problem.found, problem.expected): problem
            for expression in reversed(rules.expressions) if not text & expression.columns
            for problem in expression.problems(table.schema)}
    problems.extend(told.values())
    problems.raise_if_any()


def _check_units(table: pa.Table, survey: Survey) -> None:
    """Refuse coordinates that the file itself says are in another unit than the definition."""
    problems = Problems()
    for column in (survey.columns.ra, survey.columns.dec):
        for name in column.natives if column.unit in _UNITS else ():
            unit = (table.schema.field(name).metadata or {}).get(b"unit", b"").decode().strip()
            if unit and unit.lower() not in _UNITS[column.unit]:
                problems.add(Code.TABLE_UNIT, f"survey {survey.key}, column {name}",
                             found=f"the unit `{unit}`", expected=column.unit,
                             remedy=f"convert the column to {column.unit}, or correct the unit")
    problems.raise_if_any()


def _number_columns(survey: Survey) -> Iterator[tuple[str, str]]:
    """Standard columns that are numbers, with every native column that must hold numbers."""
    columns = survey.columns
    for name in ("ra", "dec"):
        angle: AngleColumn = getattr(columns, name)
        if angle.parts or angle.unit in _UNITS:
            yield from ((name, native) for native in angle.natives[-3:])
    for name in ("z", "z_err"):
        number: NumberColumn | None = getattr(columns, name)
        if number is not None and number.cast is None:
            yield from ((name, native) for native in number.natives)


def _leaving(ra: Floats, dec: Floats, z: Floats, valid: tuple[float, float]) -> dict[str, Mask]:
    """The rows that leave for each reason; no row has two."""
    no_position = ~(np.isfinite(ra) & np.isfinite(dec))
    with np.errstate(invalid="ignore"):
        reasons = {
            "no_position": no_position,
            "position_out_of_range": ~_on_sky(ra, dec),
            "no_redshift": ~np.isfinite(z),
            "redshift_out_of_range": ~((z >= valid[0]) & (z <= valid[1])),
        }
    free = np.ones(len(z), dtype=bool)
    leaving = {}
    for reason, rows in reasons.items():
        leaving[reason] = rows & free
        free = free & ~rows
    return leaving


def _on_sky(ra: Floats, dec: Floats) -> Mask:
    return (ra >= 0) & (ra < 360) & (dec >= -90) & (dec <= 90)


def _refuse_bad_positions(ra: Floats, dec: Floats, survey: Survey) -> None:
    missing = ~(np.isfinite(ra) & np.isfinite(dec))
    outside = ~_on_sky(ra, dec) & ~missing
    problems = Problems()
    columns = survey.columns
    of = (", ".join(column.natives) for column in (columns.ra, columns.dec))
    where = f"survey {survey.key}, columns " + " and ".join(of)
    remedy = "correct the file, or let the recipe drop them: standardize.bad_positions: drop"
    if missing.any():
        problems.add(Code.POSITION_MISSING, where, found=_shown(missing, ra, dec),
                     expected="a position in every row", remedy=remedy)
    if outside.any():
        problems.add(Code.POSITION_RANGE, where, found=_shown(outside, ra, dec),
                     expected="0 <= ra < 360 and -90 <= dec <= 90 (deg)", remedy=remedy)
    problems.raise_if_any()


def _shown(rows: Mask, ra: Floats, dec: Floats) -> str:
    first = np.flatnonzero(rows)[:SHOWN]
    examples = ", ".join(f"row {row} ({ra[row]:g}, {dec[row]:g})" for row in first)
    more = " ..." if rows.sum() > SHOWN else ""
    return f"{rows.sum()} of {len(rows)} rows, counted from 0: {examples}{more}"


def _refuse_undecided(
    survey: Survey, native: pa.Table, decided: dict[str, FirstMatch[Any]]
) -> None:
    """Refuse rows that no rule decides where the definition does not say what holds otherwise."""
    problems = Problems()
    for name, match in decided.items():
        if match.choices[-1] is None and match.hits[-1]:
            flag = survey.columns.native_flag
            rows = np.flatnonzero(match.index == len(match.choices) - 1)[:SHOWN]
            shown = native[flag.from_].take(pa.array(rows)).to_pylist() if flag else []
            problems.add(Code.VALUE_RANGE, f"survey {survey.key}, {name}",
                         found=f"{match.hits[-1]} rows without a rule, such as {shown}",
                         expected="one of " + ", ".join(str(c) for c in match.choices[:-1]),
                         remedy="map the values to this scale first (README: quality)")
    problems.raise_if_any()


def _z_err(native: pa.Table, survey: Survey, rules: SurveyRules) -> pa.Array:
    if survey.columns.z_err is None:
        return pa.nulls(len(native), pa.float64())
    low, high = survey.columns.z_err.valid
    error = numbers(native, survey.columns.z_err, rules.formulas.get("z_err"))
    return pa.array(error, mask=~(np.isfinite(error) & (error >= low) & (error <= high)))


def _native_flag(native: pa.Table, survey: Survey) -> pa.Array:
    if survey.columns.native_flag is None:
        return pa.nulls(len(native), pa.string())
    return native_text(native[survey.columns.native_flag.from_])


def _measurements(survey: Survey, length: int, columns: dict[str, Any]) -> pa.Table:
    same = {"survey": survey.key, "survey_ordinal": survey.ordinal, "release": survey.release}
    arrays = {
        **{name: pa.repeat(pa.scalar(value, _type(name)), length) for name, value in same.items()},
        **{name: pa.array(values, _type(name)) for name, values in columns.items()},
    }
    table = pa.table([arrays[name] for name in MEASUREMENT_SCHEMA.names],
                     schema=MEASUREMENT_SCHEMA)
    return table.sort_by("row_id").combine_chunks()


def _type(name: str) -> pa.DataType:
    return MEASUREMENT_SCHEMA.field(name).type


def _hits(survey: Survey, decided: dict[str, FirstMatch[Any]]) -> dict[str, int]:
    hits: dict[str, int] = {}
    for name, match in decided.items():
        texts = [rule.when for rule in getattr(survey, name).rules]
        labels = [f"{name}: {text}" for text in (*texts, "otherwise")]
        hits.update(zip(labels, match.hits, strict=True))
    return hits
