"""One form for the values of a native table, whichever service they came through.

FITS pads text and has no nulls in floats, a VOTable masks, CSV leaves blank, TAP gives logicals as
numbers: the same catalogue must be the same table.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.retrieval import kind_of

_TYPES = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "bool": pa.bool_()}


def canonical_schema(schema: pa.Schema, types: Mapping[str, str]) -> pa.Schema:
    """Fields of the native table: as the definition says, else 64 bits of what has come.

    Units and descriptions are left out: services word them differently, and they were checked.
    """
    return pa.schema([pa.field(field.name, _TYPES.get(types.get(field.name) or kind_of(field.type),
                                                      field.type)) for field in schema])


def canonical(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    """The batch in these types: blanks around text gone, empty text and NaN null, numbers exact.

    Raises
    ------
    TsmError
        `service.schema` for a value that is none of its column's type.
    """
    columns = [_column(batch.column(field.name), field, where) for field in schema]
    return pa.record_batch(columns, schema=schema)


def _column(values: pa.Array, field: pa.Field, where: str) -> pa.Array:
    try:
        return _cast(_without_blanks(values), field.type)
    except pa.ArrowInvalid as error:
        raise refuse(
            Code.SERVICE_SCHEMA, f"{where}: column `{field.name}`",
            found=str(error).split("\n")[0], expected=f"values of type {field.type}",
            remedy="correct `types` or `sources` of the definition",
        ) from None


def _without_blanks(values: pa.Array) -> pa.Array:
    """Text without the blanks around it, null where nothing is left; NaN as null."""
    if kind_of(values.type) == "text":
        text = pc.utf8_trim_whitespace(values)
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def _cast(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values in another type, none of them changed."""
    if pa.types.is_boolean(type_) and pa.types.is_integer(values.type):
        if pc.any(pc.not_equal(pc.abs(pc.subtract(pc.multiply(values, 2), 1)), 1)).as_py():
            raise pa.ArrowInvalid("a number other than 0 and 1 for a logical")
        return pc.equal(values, 1)
    if pa.types.is_integer(type_) and pa.types.is_boolean(values.type):
        return values.cast(pa.int8()).cast(type_)
    return values.cast(type_)
