"""Values of a redshift column that stand for `no redshift`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pz_tsm_core.inspection.column import Column, Mask
from pz_tsm_core.propose.vocabulary import vocabulary

#: Redshifts that are believed; those of `tsm`'s own tables.
Z_RANGE = (-0.01, 15)
#: A value that is repeated so often, and lies apart, is no measurement.
_REPEATED = 3


def sentinels(column: Column) -> dict[float, int]:
    """Sentinels among the values, as the shortest decimals that equal them, and their rows.

    Known ones count when they occur; of those that could be measured, and of unknown ones beyond
    every redshift, only what is repeated.
    """
    return {value: int(rows.sum()) for value in _suspects(column)
            if (rows := _equal(column, value)).any()}


def _suspects(column: Column) -> Iterator[float]:
    known = vocabulary().sentinels
    yield from known.never_a_redshift
    yield from (value for value in known.at_the_top if _at_the_top(column, value))
    outside = column.finite[(column.finite < Z_RANGE[0]) | (column.finite > Z_RANGE[1])]
    values, counts = np.unique(outside, return_counts=True)
    told = known.never_a_redshift
    for value in values[counts >= _REPEATED]:
        written = _shortest(column, float(value))
        if written not in told:
            yield written


def _at_the_top(column: Column, value: float) -> bool:
    """Whether a possible redshift is the largest value, is repeated, and stands apart."""
    rows = _equal(column, value)
    below = column.finite[column.finite < _own(column, value)]
    return bool(rows.sum() >= _REPEATED and (column.finite <= Z_RANGE[1]).any()
                and not (column.share(value + 1e-4, Z_RANGE[1]) > 0)
                and len(below) and below.max() < 0.98 * value)


def has_redshift(column: Column) -> Mask:
    """Whether each row has a redshift that is believed, shape (n,)."""
    believed = (column.numbers >= Z_RANGE[0]) & (column.numbers <= Z_RANGE[1])
    for value in sentinels(column):
        believed &= ~_equal(column, value)
    return believed


def coverage(column: Column) -> float:
    """Share of all rows that have a redshift that is believed."""
    return float(has_redshift(column).mean()) if len(column.values) else 0.0


def _equal(column: Column, value: float) -> Mask:
    rows: Mask = column.numbers == _own(column, value)
    return rows


def _own(column: Column, value: float) -> float:
    """The value as a column of this type holds it: a float32 holds its nearest."""
    return float(np.float32(value)) if pa.types.is_float32(column.field.type) else value


def _shortest(column: Column, value: float) -> float:
    """The shortest decimal that the column holds as this value."""
    return float(str(np.float32(value))) if pa.types.is_float32(column.field.type) else value
