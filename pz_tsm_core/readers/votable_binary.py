"""Rows of a VOTable as BINARY or BINARY2: bytes in base64 (VOTable 1.5, sections 5.3 and 5.4).

A row is runs of bytes of fixed length; between two of them stands a value of any length, which
begins with the number of its elements.
"""

from __future__ import annotations

import binascii
import string
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.parsers import expat

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import TsmError
from pz_tsm_core.readers.arrays import as_text, fixed_text, numbers
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.votable_scan import DATATYPES, FieldTag, TableTag
from pz_tsm_core.readers.votable_values import without_null

_SPACE = string.whitespace.encode()

_NUMPY = {"unsignedByte": "u1", "short": ">i2", "int": ">i4", "long": ">i8", "float": ">f4",
          "double": ">f8"}

#: What a byte says of truth: false, true, that it is not known; 3 for bytes that say nothing.
_TRUTH = np.full(256, 3, np.uint8)
_TRUTH[list(b"Ff0")], _TRUTH[list(b"Tt1")], _TRUTH[list(b"\0 ?")] = 0, 1, 2

#: The number of elements of a value of any length.
_COUNT = struct.Struct(">I")


@dataclass(frozen=True)
class Place:
    """Where in a row the value of a column stands.

    Parameters
    ----------
    run : number of the run of fixed length in which it stands, or behind which
    offset : bytes from the start of the run
    width : bytes; None for a value of any length
    """

    run: int
    offset: int
    width: int | None


class Stream:
    """The bytes of a stream, until they are asked for as columns."""

    def __init__(self, table: TableTag, source: Source) -> None:
        self._fields = table.fields
        self._source = source
        self._has_flags = table.serialization == "BINARY2"
        flags = -(-len(table.fields) // 8) if self._has_flags else 0
        self._places, self._runs, self._bits = _layout(table.fields, flags, source)
        self._digits = b""  # of base64, that make no whole bytes yet
        self._padded = False
        self._data = bytearray()
        self._starts = np.empty((0, len(self._runs)), np.int64)  # of the runs of each whole row
        self._end = 0  # of the last whole row
        self._before = 0  # rows that are gone

    def count(self) -> int:
        """Divide what has come into rows, and say how many are whole."""
        self._source.check_memory(len(self._data))
        self._starts, self._end = _divide(bytes(self._data), self._runs, self._bits)
        return len(self._starts)

    def take(self, places: Sequence[int]) -> list[pa.Array]:
        """Values of the rows that were counted, in the columns at these places; they are then gone.

        Raises
        ------
        TsmError
            `file.damaged`, with the row, for a value that is not of its datatype.
        """
        data = np.frombuffer(bytes(self._data[: self._end]), np.uint8)
        arrays = [self._array(data, place) for place in places]
        del self._data[: self._end]
        self._before += len(self._starts)
        return arrays

    def close(self) -> None:
        """Refuse a row that is not whole."""
        if self._data or self._digits:
            raise self._source.damaged(f"a stream that ends within row {self._before + 1}")

    def listen(self, parser: expat.XMLParserType, tag: str, done: Callable[[], None]) -> None:
        """Take the digits from the parser until the element of this name ends."""

        def start(name: str, _: dict[str, str]) -> None:
            raise self._source.damaged(f"a {name} within a {tag}")

        parser.StartElementHandler, parser.EndElementHandler = start, lambda _: done()
        parser.CharacterDataHandler = self._decode

    def _decode(self, text: str) -> None:
        digits = self._digits + text.encode().translate(None, _SPACE)
        whole = len(digits) - len(digits) % 4
        try:
            data = binascii.a2b_base64(digits[:whole], strict_mode=True)
        except binascii.Error:
            raise self._not_base64() from None
        if digits and self._padded:
            raise self._not_base64()
        self._padded = digits[:whole].endswith(b"=")
        self._digits = digits[whole:]
        self._data += data

    def _not_base64(self) -> TsmError:
        return self._source.damaged("a STREAM with characters that are not base64")

    def _array(self, data: npt.NDArray[np.uint8], number: int) -> pa.Array:
        """The values of a column; an empty text stays a text, as in the other serializations."""
        one, place = self._fields[number], self._places[number]
        if place.width is None:  # a text: lists were refused
            return self._any_text(data, one, place)
        if place.width == 0:
            return pa.array([""] * len(self._starts))
        stored = self._fixed(data, place.run, place.offset, place.width)
        if one.type == pa.string():
            return self._fixed_text(stored, one)
        missing = self._flagged(data, number)
        if one.type != pa.bool_():
            values = stored.view(_NUMPY[one.datatype_name])[:, 0]
            return without_null(numbers(values, missing), one)
        says = _TRUTH[stored[:, 0]] if one.datatype_name == "boolean" else stored[:, 0] != 0
        self._refuse_first(says == 3, one)
        return pa.array(says == 1, mask=missing | (says == 2))

    def _fixed(
        self, data: npt.NDArray[np.uint8], run: int, offset: int, width: int
    ) -> npt.NDArray[np.uint8]:
        """Bytes of a column of fixed length; shape (rows, width)."""
        windows = np.lib.stride_tricks.sliding_window_view(data, width)
        return windows[self._starts[:, run] + offset]

    def _flagged(self, data: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.bool_]:
        """Whether BINARY2 says that a value is missing."""
        if not self._has_flags:
            return np.zeros(len(self._starts), bool)
        flags = self._fixed(data, 0, number // 8, 1)[:, 0]
        return (flags & (128 >> number % 8)).astype(bool)

    def _fixed_text(self, stored: npt.NDArray[np.uint8], one: FieldTag) -> pa.Array:
        if one.datatype_name == "char":
            return fixed_text(stored.view(f"S{stored.shape[1]}")[:, 0], one.name, self._source)
        texts = self._utf16([row.tobytes() for row in stored], one)
        return pa.array([text.partition("\0")[0] for text in texts], pa.string())

    def _any_text(self, data: npt.NDArray[np.uint8], one: FieldTag, place: Place) -> pa.Array:
        begin = self._starts[:, place.run] + place.offset + _COUNT.size
        end = self._starts[:, place.run + 1]
        if one.count:
            self._refuse_first(end - begin > one.count * one.datatype.bytes, one)
        octets = data.tobytes()
        texts = [octets[first:last]
                 for first, last in zip(begin.tolist(), end.tolist(), strict=True)]
        if one.datatype_name == "char":
            return as_text(pa.array(texts, pa.binary()), one.name, self._source)
        return pa.array(self._utf16(texts, one), pa.string())

    def _utf16(self, texts: list[bytes], one: FieldTag) -> list[str]:
        try:
            return [text.decode("utf_16_be") for text in texts]
        except UnicodeDecodeError:
            raise self._source.damaged(f"bytes in `{one.name}` that are no UTF-16") from None

    def _refuse_first(self, wrong: npt.NDArray[np.bool_], one: FieldTag) -> None:
        if wrong.any():
            row = self._before + int(wrong.argmax()) + 1
            raise self._source.damaged(f"bytes in column `{one.name}`, row {row}, that are none "
                                       "of its values", f"values of the datatype {one.native}")


def _layout(
    fields: Sequence[FieldTag], flags: int, source: Source
) -> tuple[list[Place], list[int], list[int]]:
    """Places of all columns, bytes of the runs, and bits of an element of what is between them."""
    places, runs, bits, offset = list[Place](), list[int](), list[int](), flags
    for one in fields:
        if one.datatype_name not in DATATYPES or (one.size.endswith("*") and "x" in one.size):
            raise source.unsupported(f"`{one.name}`: {one.native}, of nobody knows how many bytes",
                                     "a datatype of VOTable", "save the table without that column")
        width = one.stream_bytes
        places.append(Place(len(runs), offset, width))
        if width is None:
            runs.append(offset)
            bits.append(one.element_bits)
            offset = 0
        else:
            offset += width
    runs.append(offset)
    if runs == [0]:
        raise source.damaged("rows of no bytes")
    return places, runs, bits


def _divide(
    data: bytes, runs: Sequence[int], bits: Sequence[int]
) -> tuple[npt.NDArray[np.int64], int]:
    """Starts of the runs of every whole row, and the end of the last."""
    if not bits:
        rows = len(data) // runs[0]
        return np.arange(rows).reshape(-1, 1) * runs[0], rows * runs[0]
    *others, last = runs
    steps = list(zip(others, bits, strict=True))
    starts, end = list[list[int]](), 0
    while (row := _row(data, end, steps)) and row[-1] + last <= len(data):
        starts.append(row)
        end = row[-1] + last
    return np.array(starts, np.int64).reshape(-1, len(runs)), end


def _row(data: bytes, start: int, steps: Sequence[tuple[int, int]]) -> list[int]:
    """Starts of the runs of the row that begins here; nothing when it is not whole."""
    starts = [start]
    for run, bits in steps:
        start += run + _COUNT.size
        if start > len(data):
            return []
        (count,) = _COUNT.unpack_from(data, start - _COUNT.size)
        start += -(-count * bits // 8)
        starts.append(start)
    return starts
