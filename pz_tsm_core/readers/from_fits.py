"""FITS files: the first binary table.

The layout is checked by our own arithmetic before a byte of data is touched; astropy parses the
headers. Meaning of the keywords: FITS Standard 4.0, sections 4.4.1 and 7.3.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from pz_tsm_core.readers.arrays import fixed_text
from pz_tsm_core.readers.facts import ColumnFacts, Facts, column_facts, described_field
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.stream import TableStream

BLOCK = 2880

#: Bytes of rows that are decoded at a time: columns are picked out of them within the cache.
CHUNK = 4 * 2**20

_TFORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
#: Bytes of one element of each type.
_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16,
          "P": 8, "Q": 16}
_NUMPY = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


@dataclass(frozen=True)
class Field:
    """One column of a binary table, as its header declares it."""

    name: str
    code: str  # letter of TFORM
    repeat: int
    width: int  # bytes
    offset: int  # bytes from the start of the row
    null: int | None
    scale: float
    zero: float
    strings: bool  # TDIM divides the characters into several texts
    # As TUNIT, TUCD and TCOMM say; empty where they say nothing.
    unit: str
    ucd: str
    description: str

    @property
    def is_scalar(self) -> bool:
        """Whether a row holds one value."""
        if self.code == "A":
            return not self.strings and self.repeat > 0
        return self.code in _NUMPY and self.repeat == 1

    @property
    def form(self) -> str:
        """What TFORM says."""
        return f"TFORM {self.repeat}{self.code}"

    @property
    def dtype(self) -> str:
        """Numpy type of the stored bytes."""
        return f"S{self.repeat}" if self.code == "A" else _NUMPY[self.code]


@dataclass(frozen=True)
class Layout:
    """Where the rows of a table stand: so many of so many bytes, from byte `start` on."""

    fields: list[Field]
    rows: int
    width: int
    start: int


@contextmanager
def stream(source: Source) -> Iterator[TableStream]:
    """Stream the first binary table: native byte order, TNULL as null, padding removed."""
    layout = _layout(source)
    chosen = _choose(layout.fields, source)
    source.check_size(source.at_most(layout.rows), sum(field.width for field in chosen))
    schema = pa.schema([_described(field, _type(field, source)) for field in chosen])
    yield TableStream(schema, layout.rows, _batches(layout, chosen, schema, source))


def describe(source: Source) -> Facts:
    """Say what the headers tell of the first binary table."""
    layout = _layout(source)
    return Facts(layout.rows, tuple(_facts(field, source) for field in layout.fields))


def _facts(field: Field, source: Source) -> ColumnFacts:
    if field.is_scalar:
        return column_facts(_described(field, _type(field, source)))
    return ColumnFacts(field.name, field.form, field.unit, field.ucd, field.description,
                       usable=False)


def _described(field: Field, kind: pa.DataType) -> pa.Field:
    return described_field(field.name, kind, field.unit, field.ucd, field.description)


def _layout(source: Source) -> Layout:
    try:
        # What is odd but harmless in a header is no reason to speak; what is wrong is checked.
        with warnings.catch_warnings(), source.path.open("rb") as file:
            warnings.simplefilter("ignore")
            header, start = _find_table(file, source)
            fields = _fields(header, source)
            rows, width = int(header["NAXIS2"]), int(header["NAXIS1"])
    except (KeyError, ValueError, TypeError, OSError, VerifyError) as error:
        raise source.damaged(f"a header that cannot be read: {error}") from None
    if sum(field.width for field in fields) != width:
        raise source.damaged(f"columns of {sum(f.width for f in fields)} bytes in rows of {width}")
    return Layout(fields, rows, width, start)


def _find_table(file: BinaryIO, source: Source) -> tuple[fits.Header, int]:
    """Header of the first binary table, or of the one asked for, and where its data begin."""
    size, others = source.path.stat().st_size, list[str]()
    while file.tell() < size:
        header = fits.Header.fromfile(file, endcard=True, padding=True)
        start, length = file.tell(), _data_bytes(header)
        if start + length > size:
            raise source.damaged(f"{size} bytes where the headers declare {start + length}")
        kind = str(header.get("XTENSION", "")).strip()
        wanted = source.table in (None, str(header.get("EXTNAME", "")).strip())
        plain = not header.get("ZIMAGE") and not header.get("ZTABLE")
        if kind == "BINTABLE" and plain and wanted:
            return header, start
        if kind:
            others.append(f"{header.get('EXTNAME', 'one without a name')} ({kind})")
        file.seek(min(size, start + -(-length // BLOCK) * BLOCK))
    named = f" of the name `{source.table}`" if source.table else ""
    raise source.unsupported("extensions " + ", ".join(others) if others else "no extensions",
                             f"a binary table (BINTABLE){named}, not compressed",
                             "convert the table, for example with astropy.table")


def _data_bytes(header: fits.Header) -> int:
    axes = [int(header[f"NAXIS{n + 1}"]) for n in range(int(header["NAXIS"]))]
    heap, groups = int(header.get("PCOUNT", 0)), int(header.get("GCOUNT", 1))
    if min([*axes, heap, groups]) < 0:
        raise ValueError("a negative size")
    elements = heap + math.prod(axes) if axes else 0
    return abs(int(header["BITPIX"])) // 8 * groups * elements


def _fields(header: fits.Header, source: Source) -> list[Field]:
    fields: list[Field] = []
    count = int(header["TFIELDS"])
    if not 0 <= count <= source.limits.max_columns:
        raise source.too_large(f"{count} columns", f"{source.limits.max_columns}")
    offset = 0
    for n in range(1, count + 1):
        form = _TFORM.match(str(header[f"TFORM{n}"]).strip())
        if form is None:
            raise ValueError(f"TFORM{n} = {header[f'TFORM{n}']}")
        repeat, code = int(form[1] or 1), form[2]
        width = -(-repeat // 8) if code == "X" else repeat * _BYTES[code]
        null = header.get(f"TNULL{n}")
        fields.append(Field(
            name=str(header.get(f"TTYPE{n}", f"col{n}")).strip(), code=code, repeat=repeat,
            width=width, offset=offset, null=None if null is None else int(null),
            scale=float(header.get(f"TSCAL{n}", 1)), zero=float(header.get(f"TZERO{n}", 0)),
            strings="," in str(header.get(f"TDIM{n}", "")),
            unit=str(header.get(f"TUNIT{n}", "")).strip(),
            ucd=str(header.get(f"TUCD{n}", "")).strip(),
            description=str(header.get(f"TCOMM{n}", "")).strip(),
        ))
        offset += width
    return fields


def _choose(fields: list[Field], source: Source) -> list[Field]:
    names = source.select([field.name for field in fields])
    by_name = {field.name: field for field in fields}
    chosen = [by_name[name] for name in names]
    unusable = {f.name: f.form for f in chosen if not f.is_scalar}
    if unusable:
        raise source.unusable(unusable)
    return chosen


def _batches(
    layout: Layout, fields: list[Field], schema: pa.Schema, source: Source
) -> Iterator[pa.RecordBatch]:
    dtype = np.dtype({
        "names": [f"{number}" for number in range(len(fields))],
        "formats": [field.dtype for field in fields],
        "offsets": [field.offset for field in fields],
        "itemsize": layout.width,
    })
    left, most = source.at_most(layout.rows), max(1, CHUNK // layout.width)
    # Not mapped into memory, where all that was ever looked at would stay.
    with source.path.open("rb") as file:
        file.seek(layout.start)
        while left and len(rows := np.fromfile(file, dtype, min(left, most))):
            left -= len(rows)
            yield pa.RecordBatch.from_arrays(
                [_decode(rows[f"{number}"], field, source)
                 for number, field in enumerate(fields)], schema=schema)


def _type(field: Field, source: Source) -> pa.DataType:
    return _decode(np.empty(0, field.dtype), field, source).type


def _decode(raw: npt.NDArray[Any], field: Field, source: Source) -> pa.Array:
    if field.code == "A":
        return pc.utf8_rtrim(fixed_text(raw, field.name, source), " ")
    if field.code == "L":
        return pa.array(raw == ord("T"), mask=(raw != ord("T")) & (raw != ord("F")))
    native = raw.astype(raw.dtype.newbyteorder("="))
    unknown = None if field.null is None or native.dtype.kind == "f" else native == field.null
    return pa.array(_scaled(native, field), mask=unknown)


def _scaled(values: npt.NDArray[np.generic], field: Field) -> npt.NDArray[np.generic]:
    """TSCAL * value + TZERO; the offsets that only stand for a change of sign stay integers."""
    if (field.scale, field.zero) == (1.0, 0.0):
        return values
    if field.scale == 1.0 and field.code == "K" and field.zero == 2.0**63:
        return values.astype(np.uint64) ^ np.uint64(2**63)
    if field.scale == 1.0 and field.code in "BIJ" and field.zero.is_integer() and (
        abs(field.zero) < 2**53
    ):
        return values.astype(np.int64) + int(field.zero)
    return values.astype(np.float64) * field.scale + field.zero
