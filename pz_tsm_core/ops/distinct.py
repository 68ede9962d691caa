"""Measurements in standard columns, each of them once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.sphere import Floats, Int64s


def standard(measurements: pa.Table, schema: pa.Schema = MEASUREMENT_SCHEMA) -> pa.Table:
    """The standard columns of a table, in their order.

    Columns that the standard got after the table was made are null.

    Raises
    ------
    TsmError
        `table.missing-column` for those that every table of measurements has.
    """
    names = set(measurements.column_names)
    missing = [field.name for field in schema if field.name not in names and not field.nullable]
    if missing:
        raise refuse(Code.TABLE_MISSING_COLUMN, "measurements",
                     found="no column " + ", ".join(missing), expected="standard columns",
                     remedy="standardize the table first")
    columns = [measurements[field.name].cast(field.type) if field.name in names
               else pa.nulls(len(measurements), field.type) for field in schema]
    return pa.table(columns, schema=schema)


def distinct_rows(
    row_id: Int64s, ra: Floats, dec: Floats
) -> Int64s:
    """For every measurement the place of the first with its row_id, shape (n,).

    Raises
    ------
    TsmError
        `id.collision` when two of one row_id lie apart.
    """
    place, ordered = np.arange(len(row_id)), np.sort(row_id)
    if (ordered[1:] == ordered[:-1]).any():
        order = np.argsort(row_id, kind="stable")
        again = row_id[order][1:] == row_id[order][:-1]
        begins = np.flatnonzero(np.concatenate([[True], ~again]))
        place[order] = np.repeat(order[begins], np.diff(np.append(begins, len(order))))
        if (ra[place] != ra).any() or (dec[place] != dec).any():
            raise _collision("position")
    return place


def refuse_different(table: pa.Table, first: Int64s) -> None:
    """Refuse measurements that have one row_id and are not equal.

    Parameters
    ----------
    first : for every row the place of the first with its row_id, shape (n,)

    Raises
    ------
    TsmError
        `id.collision`
    """
    again = np.flatnonzero(first != np.arange(len(first)))
    if not len(again):
        return
    here, before = table.take(pa.array(again)), table.take(pa.array(first[again]))
    for name in table.column_names:
        if not here[name].combine_chunks().equals(before[name].combine_chunks()):
            raise _collision(f"column {name}")


def _collision(where: str) -> Exception:
    return refuse(Code.ID_COLLISION, where, found="two different measurements with one row_id",
                  expected="one row_id, one measurement",
                  remedy="do two inputs hold other versions of one survey release?")
