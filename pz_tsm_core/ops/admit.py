"""Which rows of a native table become measurements, and the refusal of a table that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, nearest
from pz_tsm_core.model.native_columns import AngleColumn, NumberColumn
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.native_values import SHOWN, Floats, numbers, positions
from pz_tsm_core.rules import Kind, column_kinds
from pz_tsm_core.surveys import SurveyRules, survey_rules

Mask = npt.NDArray[np.bool_]

#: How files write the units of angles that are plain numbers.
_UNITS = {
    "deg": ("deg", "degree", "degrees"), "hour": ("h", "hour", "hours", "hourangle"),
    "arcsec": ("arcsec", "arcsecond", "arcseconds"),
    "mas": ("mas", "milliarcsec", "milliarcsecond", "milliarcseconds"),
}


@dataclass(frozen=True)
class Admitted:
    """The rows of a native table that become measurements.

    Parameters
    ----------
    native : the survey's columns of all rows, in their order
    kept : which rows become measurements, shape (n,)
    ra, dec, z : degrees, ICRS, and redshift; shapes (n,)
    dropped : how many rows leave, by reason
    """

    native: pa.Table
    kept: Mask
    ra: Floats
    dec: Floats
    z: Floats
    dropped: dict[str, int]

    def without_others(self) -> Admitted:
        """These rows alone, all of them kept."""
        kept = self.kept
        if kept.all():
            return self
        return replace(self, native=self.native.filter(pa.array(kept)), kept=kept[kept],
                       ra=self.ra[kept], dec=self.dec[kept], z=self.z[kept])


def admit(
    table: pa.Table, survey: Survey, *, bad_positions: Literal["refuse", "drop"]
) -> Admitted:
    """Check a native table and tell which of its rows become measurements.

    Raises
    ------
    TsmError
        as `standardize`
    """
    rules = survey_rules(survey)
    _check_columns(table, survey, rules)
    _check_units(table, survey)
    native = table.select(sorted(survey.native_columns))
    ra, dec = positions(native, survey.columns)
    z = numbers(native, survey.columns.z, rules.formulas.get("z"))
    if bad_positions == "refuse":
        _refuse_bad_positions(ra, dec, survey)
    leaving = _leaving(ra, dec, z, survey.columns.z.valid)
    kept = ~np.logical_or.reduce(list(leaving.values()))
    dropped = {reason: int(rows.sum()) for reason, rows in leaving.items()}
    return Admitted(native, kept, ra, dec, z, dropped)


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
    """Refuse angles that the file itself says are in another unit than the definition."""
    problems = Problems()
    for name, wanted in _angles(survey):
        unit = (table.schema.field(name).metadata or {}).get(b"unit", b"").decode().strip()
        if unit and unit.lower() not in _UNITS[wanted]:
            problems.add(Code.TABLE_UNIT, f"survey {survey.key}, column {name}",
                         found=f"the unit `{unit}`", expected=wanted,
                         remedy=f"convert the column to {wanted}, or correct the unit")
    problems.raise_if_any()


def _angles(survey: Survey) -> Iterator[tuple[str, str]]:
    """Native columns that hold angles as plain numbers, each with its unit."""
    for column in (survey.columns.ra, survey.columns.dec):
        if column.unit in _UNITS:
            yield from ((name, column.unit) for name in column.natives)
    if survey.columns.pos_err is not None:
        yield survey.columns.pos_err.from_, survey.columns.pos_err.unit


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
    yield from ((name, side.from_) for name, side in columns.beside.items() if side.cast is None)


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
