"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.readers.source import Source

#: Rows that are decoded between two looks at the memory they take.
BATCH_ROWS = 65_536


def read(source: Source) -> pa.Table:
    """Read flat columns of a Parquet file; pages that carry checksums are verified."""
    try:
        with pq.ParquetFile(source.path, page_checksum_verification=True) as file:
            return _read(file, source)
    except (pa.ArrowException, OSError) as error:
        raise source.damaged(" ".join(str(error).split())) from None


def _read(file: pq.ParquetFile, source: Source) -> pa.Table:
    names = source.select(file.schema_arrow.names)
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    unusable = {field.name: str(field.type) for field in schema if not _is_flat(field.type)}
    if unusable:
        raise source.unusable(unusable)
    rows = file.metadata.num_rows
    source.check_size(rows, sum(_least_bytes(field.type) for field in schema))
    batches, taken = [], 0
    for batch in file.iter_batches(BATCH_ROWS, columns=names):
        taken += batch.nbytes
        source.check_memory(taken)
        batches.append(batch.select(names))
    table = pa.Table.from_batches(batches, schema if not batches else None)
    if len(table) != rows:
        raise source.damaged(f"{len(table)} rows where the footer says {rows}")
    table.validate(full=True)  # text that is no UTF-8 would fail later, and far from here
    return table.cast(_plain_schema(table.schema)).replace_schema_metadata(None)


def _is_flat(type_: pa.DataType) -> bool:
    """Whether a row holds one value of a basic type; extension types may run code of theirs."""
    if isinstance(type_, pa.BaseExtensionType) or pa.types.is_nested(type_):
        return False
    return not pa.types.is_dictionary(type_) or _is_flat(type_.value_type)


def _least_bytes(type_: pa.DataType) -> int:
    """Bytes that a value takes at the least: of a text, the offset."""
    try:
        return max(1, int(type_.bit_width) // 8)
    except ValueError:
        return 4


def _plain_schema(schema: Iterable[pa.Field]) -> pa.Schema:
    return pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type in which the library holds such values."""
    if pa.types.is_dictionary(type_):
        return _plain(type_.value_type)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return pa.float32() if pa.types.is_float16(type_) else type_
