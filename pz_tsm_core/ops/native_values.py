"""Values of standard columns from native ones: numbers that count, positions in ICRS degrees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from astropy import units as u
from astropy.constants import c
from astropy.coordinates import FK4, ICRS, Angle, SkyCoord

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.native_columns import (
    AngleColumn,
    HeldNumber,
    NumberColumn,
    PositionErrorColumn,
    SideColumn,
    SurveyColumns,
)
from pz_tsm_core.rules import Expression

Floats = npt.NDArray[np.float64]

#: km/s; exact by definition of the metre.
SPEED_OF_LIGHT = c.to_value(u.km / u.s)

_ARCSEC = {"arcsec": 1.0, "deg": 3600.0, "mas": 0.001}

_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"

#: How many values a refusal names.
SHOWN = 5


def numbers(native: pa.Table, column: NumberColumn, formula: Expression | None) -> Floats:
    """A number of every row as float64, NaN where it is not known, shape (n,).

    Parameters
    ----------
    formula : of a column that has one

    Raises
    ------
    TsmError
        `table.column-type` for text that holds no number and is no sentinel.
    """
    if formula is not None:
        return _in_redshift(_known(formula.numbers(native), column), column)
    several = [_in_redshift(_known(_cast(native, name, column), column), column)
               for name in column.natives]
    low, high = column.valid
    chosen = several[0]
    for values in several[1:]:
        with np.errstate(invalid="ignore"):
            chosen = np.where((chosen >= low) & (chosen <= high), chosen, values)
    return chosen


def number_beside(native: pa.Table, column: SideColumn) -> Floats:
    """A number beside position and redshift, NaN where it is not known, shape (n,).

    Errors of positions are in arcsec; what is infinite or negative is not known.

    Raises
    ------
    TsmError
        as `numbers`
    """
    values = _known(_cast(native, column.from_, column), column)
    if isinstance(column, PositionErrorColumn):
        values = values * _ARCSEC[column.unit]
    with np.errstate(invalid="ignore"):
        return np.where((values >= 0) & (values < np.inf), values, np.nan)


def _cast(native: pa.Table, name: str, column: HeldNumber) -> pa.ChunkedArray:
    """The native column; text that is declared to hold numbers becomes them."""
    values = native[name]
    if column.cast is None or not pa.types.is_string(values.type):
        return values
    text = pc.utf8_trim_whitespace(values)
    sentinels = ["", *(null for null in column.nulls if isinstance(null, str))]
    known = pc.if_else(pc.is_in(text, pa.array(sentinels)), pa.scalar(None, pa.string()), text)
    odd = pc.unique(known.filter(pc.invert(pc.match_substring_regex(known, _NUMBER))))
    if len(odd):
        raise refuse(
            Code.TABLE_COLUMN_TYPE, f"column {name}", expected="numbers, or the survey's sentinels",
            found="text such as " + ", ".join(f"`{word}`" for word in odd[:SHOWN].to_pylist()),
            remedy="correct the file, or name these among the `nulls` of the definition",
        )
    return known.cast(pa.float64())


def _known(values: pa.ChunkedArray, column: HeldNumber) -> Floats:
    """Values as float64, NaN for nulls and for the survey's sentinels."""
    if pa.types.is_null(values.type):  # a CSV column without any value
        values = values.cast(pa.float64())
    held = np.asarray(pc.fill_null(values, 0))
    unknown = np.asarray(pc.is_null(values))
    for sentinel in column.nulls:
        if isinstance(sentinel, float | int):
            # A float32 column holds the float32 that is nearest to the documented sentinel.
            own = held.dtype.type(sentinel) if held.dtype.kind == "f" else sentinel
            unknown = unknown | (held == own)
    return np.where(unknown, np.nan, held.astype(np.float64))


def _in_redshift(values: Floats, column: NumberColumn) -> Floats:
    return values / SPEED_OF_LIGHT if column.unit == "km/s" else values


def positions(native: pa.Table, columns: SurveyColumns) -> tuple[Floats, Floats]:
    """Right ascension and declination in degrees, ICRS, NaN where a row has none; shapes (n,).

    Positions of equinox B1950 are taken as they were at the declared epoch, without motion of
    the object: FK4 itself turns by some 0.2 arcsec in 50 years.

    Raises
    ------
    TsmError
        `table.column-type` for text that is no angle.
    """
    ra, dec = _degrees(native, columns.ra), _degrees(native, columns.dec)
    if columns.frame == "icrs":
        return ra, dec
    there = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
    frame = FK4(equinox="B1950", obstime=f"J{columns.epoch}")
    new = SkyCoord(ra[there], dec[there], unit=u.deg, frame=frame).transform_to(ICRS())
    ra[there], dec[there] = new.ra.deg, new.dec.deg
    return ra, dec


def _degrees(native: pa.Table, column: AngleColumn) -> Floats:
    if column.from_ and column.unit in ("hms", "dms"):
        return _from_text(native, column)
    values = [native[name] for name in column.natives]
    angle = _from_parts(values) if column.parts else _floats(values[0])
    return angle * 15.0 if column.unit in ("hour", "hms") else angle


def _from_parts(parts: Sequence[pa.ChunkedArray]) -> Floats:
    """Whole, minutes and seconds together; the sign is that of a column before them, if any.

    Without one it is the sign of the whole, also of -0.0; an integer 0 has none.
    """
    whole, minutes, seconds = (_floats(part) for part in parts[-3:])
    negative = np.signbit(whole)
    if len(parts) == 4:
        negative = np.asarray(pc.equal(pc.utf8_trim_whitespace(parts[0]), "-").fill_null(False))  # noqa: FBT003
    size = np.abs(whole) + minutes / 60 + seconds / 3600
    return np.where(negative, -size, size)


def _from_text(native: pa.Table, column: AngleColumn) -> Floats:
    """Degrees of sexagesimal text such as `10 09 49.69` or `-04:46:56.3`."""
    text = pc.utf8_trim_whitespace(native[column.natives[0]])
    there = np.asarray(pc.fill_null(pc.not_equal(text, ""), False))  # noqa: FBT003
    degrees = np.full(len(text), np.nan)
    try:
        unit = u.hourangle if column.unit == "hms" else u.deg
        degrees[there] = Angle(text.filter(pa.array(there)).to_pylist(), unit=unit).deg
    except ValueError as error:
        raise refuse(
            Code.TABLE_COLUMN_TYPE, f"column {column.natives[0]}",
            found=" ".join(str(error).split()),
            expected=f"sexagesimal text ({column.unit}), such as 10 09 49.69",
            remedy="correct the file, or the unit in the definition",
        ) from None
    return degrees


def _floats(values: pa.ChunkedArray) -> Floats:
    if pa.types.is_null(values.type):
        values = values.cast(pa.float64())
    held = np.asarray(pc.fill_null(values, 0)).astype(np.float64)
    return np.where(np.asarray(pc.is_null(values)), np.nan, held)
