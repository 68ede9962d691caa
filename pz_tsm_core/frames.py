"""The one adapter between what notebooks hold (pandas, astropy, Arrow) and what the core holds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy import units
from astropy.table import MaskedColumn, Table

from pz_tsm_core.errors import Code, refuse

#: Such as 10**(10**10), on which a parser of units would work for ever.
_POWER_OF_NUMBER = re.compile(r"[0-9)]\s*(\*\*|\^)")

#: What notebooks hold.
TABLES = (pd.DataFrame, Table, pa.Table)


def to_arrow(table: Any) -> pa.Table:
    """The same rows as an Arrow table: masked values and NaN-filled objects become nulls.

    Parameters
    ----------
    table : pandas.DataFrame, astropy.table.Table or pyarrow.Table

    Raises
    ------
    TsmError
        `table.kind` for anything else.
    """
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pd.DataFrame):
        return pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    if isinstance(table, Table):
        return pa.table({name: _from_astropy(table[name]) for name in table.colnames})
    raise refuse(Code.TABLE_KIND, "table", found=f"a {type(table).__name__}",
                 expected="a pandas.DataFrame, astropy.table.Table or pyarrow.Table",
                 remedy="read files with pz_tsm_core.read")


def like(table: pa.Table, example: Any) -> Any:
    """An Arrow table as the kind of table that `example` is; 64-bit ids stay integers."""
    if isinstance(example, pd.DataFrame):
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    if isinstance(example, Table):
        return _to_astropy(table)
    return table


def _from_astropy(column: Any) -> pa.Array:
    """Values and nulls of a column; angles in radians or hours become degrees."""
    if column.unit in (units.rad, units.hourangle):
        column = column.to(units.deg)
    values = np.asarray(column)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind != "U":
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
    mask = np.asarray(column.mask) if isinstance(column, MaskedColumn) else None
    return pa.array(values, mask=mask)


def _to_astropy(table: pa.Table) -> Table:
    result = Table()
    for field in table.schema:
        column = table[field.name]
        missing = column.is_null().to_numpy()
        metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        values = column.fill_null(_under_mask(field.type)) if missing.any() else column
        array = values.to_numpy()
        if array.dtype == object:
            array = array.astype(str)
        result[field.name] = MaskedColumn(
            array, mask=missing, unit=_harmless(metadata.get("unit")),
            description=metadata.get("description"),
        )
    return result


def _under_mask(kind: pa.DataType) -> Any:
    """A value to stand under the mask."""
    return "" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else 0


def _harmless(unit: str | None) -> str | None:
    """The unit if astropy can be trusted with it: it computes powers of numbers, however large."""
    return None if unit is None or _POWER_OF_NUMBER.search(unit) else unit
