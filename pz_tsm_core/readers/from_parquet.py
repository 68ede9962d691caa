"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.readers.astropy_header import Header, parse_header
from pz_tsm_core.readers.facts import ColumnFacts, Facts, column_facts, described_field
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.stream import TableStream
from pz_tsm_core.readers.votable_scan import Scan

#: Bytes of a column chunk that are read at a time.
BUFFER = 2**20

#: Where astropy, and VOParquet 1.0, keep what they know of the columns.
ASTROPY, VOTABLE = b"table_meta_yaml", b"IVOA.VOTable-Parquet.content"


@contextmanager
def stream(source: Source) -> Iterator[TableStream]:
    """Stream flat columns of a Parquet file; pages that carry checksums are verified."""
    with _opened(source) as file:
        with _refusing(source):
            header = _astropy_header(file.schema_arrow, source)
            stored = _stored(file.schema_arrow, header, source)
            rows = file.metadata.num_rows
        source.check_size(source.at_most(rows), sum(_least_bytes(one.type) for one in stored))
        plain = pa.schema(_described(stored, header, source))
        batches = _batches(file, plain, source)
        if header is None:
            yield TableStream(plain, rows, batches)
        else:
            yield TableStream(header.without_masks(plain), rows, map(header.apply_masks, batches))


def describe(source: Source) -> Facts:
    """Say what the footer declares; no rows are read."""
    with _opened(source) as file, _refusing(source):
        header = _astropy_header(file.schema_arrow, source)
        fields = _described(file.schema_arrow, header, source)
        names = set(header.names) if header else set(file.schema_arrow.names)
        return Facts(file.metadata.num_rows, tuple(
            column_facts(field, usable=is_flat(field.type))
            for field in fields if field.name in names))


@contextmanager
def _opened(source: Source) -> Iterator[pq.ParquetFile]:
    with _refusing(source):
        # Column chunks are read as their rows are asked for, and not all of them before the first.
        file = pq.ParquetFile(source.path, page_checksum_verification=True, pre_buffer=False,
                              buffer_size=BUFFER)
    with file:
        yield file


@contextmanager
def _refusing(source: Source) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise source.damaged(str(error)) from None


def _stored(schema: pa.Schema, header: Header | None, source: Source) -> pa.Schema:
    """The columns to read, with the masks that belong to them."""
    names = source.select([name for name in schema.names if not header or name in header.names])
    stored = pa.schema([schema.field(name) for name in
                        (header.with_masks(names) if header else names)], schema.metadata)
    unusable = {field.name: str(field.type) for field in stored if not is_flat(field.type)}
    if unusable:
        raise source.unusable(unusable)
    return stored


def _batches(
    file: pq.ParquetFile, schema: pa.Schema, source: Source
) -> Iterator[pa.RecordBatch]:
    """The rows, checked and in plain types."""
    taken, rows = 0, min(source.batch_rows, source.at_most(file.metadata.num_rows))
    with _refusing(source):
        for batch in file.iter_batches(rows, columns=schema.names):
            taken += batch.nbytes
            source.check_memory(taken)
            batch.validate(full=True)  # text that is no UTF-8 would fail later, and far from here
            yield batch.select(schema.names).cast(schema)


def is_flat(type_: pa.DataType) -> bool:
    """Whether a row holds one value of a basic type; extension types may run code of theirs."""
    if isinstance(type_, pa.BaseExtensionType) or pa.types.is_nested(type_):
        return False
    return not pa.types.is_dictionary(type_) or is_flat(type_.value_type)


def _least_bytes(type_: pa.DataType) -> int:
    """Bytes that a value takes at the least: of a text, the offset."""
    try:
        return max(1, int(type_.bit_width) // 8)
    except ValueError:
        return 4


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type in which the library holds such values."""
    if pa.types.is_dictionary(type_):
        return _plain(type_.value_type)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return pa.float32() if pa.types.is_float16(type_) else type_


def _astropy_header(schema: pa.Schema, source: Source) -> Header | None:
    text = (schema.metadata or {}).get(ASTROPY)
    return parse_header(text.decode("utf-8", "replace"), source) if text else None


def _described(schema: pa.Schema, header: Header | None, source: Source) -> list[pa.Field]:
    """The fields as the library holds them, with all that the file says of the columns."""
    told = {}
    if xml := (schema.metadata or {}).get(VOTABLE):
        told = {one.name: one.facts for table in Scan(source).read([xml]) for one in table.fields}
    if header:
        told |= {column.name: column.facts for column in header.columns}
    return [_described_field(field, told.get(field.name)) for field in schema]


def _described_field(field: pa.Field, told: ColumnFacts | None) -> pa.Field:
    own = column_facts(field)
    words = own if told is None else told
    return described_field(field.name, _plain(field.type), own.unit or words.unit,
                           own.ucd or words.ucd, own.description or words.description)
