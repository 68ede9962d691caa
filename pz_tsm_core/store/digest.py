"""What a table says, as 32 hexadecimal digits, whatever the order and grouping of its rows.

The digest is a sum over rows, so batches, files, partitions and workers may be combined in any
order, while a row that is lost, doubled or changed is seen. The specification, on which published
digests rest, is this (all arithmetic modulo 2^64; k = 0, 1 names the lane):

1. `mix_0` is the finaliser of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195, with
   the constants of Stafford's variant 13), `mix_1` the finaliser `fmix64` of MurmurHash3.
2. The salt of a column is sha256("pz-tsm column <position>"), read as four little-endian unsigned
   64-bit integers: s_0, s_1, n_0, n_1. The elements of lists use "pz-tsm element" in its place.
3. Every value has two words. Integers, booleans, dates, times, timestamps and durations: the
   integer, sign-extended, in both. Floats: the IEEE bits of their own width, where -0.0 counts as
   0.0 and every NaN as the positive quiet NaN without payload. Bytes and UTF-8 text: zero-padded
   to 64-bit little-endian pieces p_1 ... p_m, then
   word_k = length + sum_i mix_k(p_i + i G), with G = 0x9e3779b97f4a7c15.
   Lists: as text, with cell_k of element i in the place of p_i, and the number of elements as the
   length.
4. cell_k = mix_k(word_k + s_k), or n_k for null.
5. row_k = mix_k(sum of cell_k over the columns); sum_k = sum of row_k over the rows.
6. The digest is the first 32 digits of sha256 over the canonical JSON (sorted keys, no spaces) of
   {"columns": [[name, type], ...], "format": 1, "rows": count, "sums": [sum_0, sum_1]}, the sums as
   16 hexadecimal digits each. Types are logical: string, large_string and string_view are
   "string", the binary types "binary", lists of T "list<T>", a dictionary the type of its values;
   others as Arrow prints them. Nullability and metadata do not count.

It guards against accidents and mix-ups. Sums of rows can be forged by somebody who sets out to;
against that stand the sha256 of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import Code, Problems
from pz_tsm_core.model.artifact import canonical_json

Words: TypeAlias = npt.NDArray[np.uint64]
Lanes: TypeAlias = tuple[Words, Words]

#: Rows hashed at a time: temporary arrays stay within the processor's cache.
CHUNK_ROWS = 16_384

_MASK = (1 << 64) - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_QUIET_NAN = {2: 0x7E00, 4: 0x7FC00000, 8: 0x7FF8000000000000}


class TableDigest:
    """The digest of a table that arrives in pieces, in any order and from any worker.

    Parameters
    ----------
    schema : ordered column names and types of every piece

    Raises
    ------
    TsmError
        For columns of a type that has no place in the specification.

    Examples
    --------
    >>> table = pa.table({"objectId": [1, 2, 3], "z": [0.1, None, 0.3]})
    >>> digest = TableDigest(table.schema)
    >>> digest.update(table)
    >>> digest.hexdigest()
    '46613bb1b8081d9c86d490afc2b86f33'
    """

    def __init__(self, schema: pa.Schema) -> None:
        _refuse_unknown_types(schema)
        self._columns = _columns(schema)
        self._salts = [_salt(f"pz-tsm column {position}") for position in range(len(schema))]
        self._sums = (0, 0)
        self.rows = 0

    def update(self, data: pa.RecordBatch | pa.Table) -> None:
        """Add the rows of one piece."""
        self._expect(_columns(data.schema))
        if isinstance(data, pa.Table):
            data = data.unify_dictionaries()
            batches = data.to_batches(max_chunksize=CHUNK_ROWS)
        else:
            starts = range(0, data.num_rows, CHUNK_ROWS)
            batches = [data.slice(start, CHUNK_ROWS) for start in starts]
        for batch in batches:
            self._add(_row_sums(batch, self._salts), batch.num_rows)

    def hexdigest(self) -> str:
        """Digest of the rows so far: 32 hexadecimal digits."""
        sums = [f"{lane:016x}" for lane in self._sums]
        seen = {"format": 1, "columns": self._columns, "rows": self.rows, "sums": sums}
        return hashlib.sha256(canonical_json(seen)).hexdigest()[:32]

    def _add(self, sums: tuple[int, int], rows: int) -> None:
        self._sums = ((self._sums[0] + sums[0]) & _MASK, (self._sums[1] + sums[1]) & _MASK)
        self.rows += rows

    def _expect(self, columns: list[list[str]]) -> None:
        if columns != self._columns:
            raise ValueError(f"columns {columns} are added to a digest of {self._columns}")


def table_digest(table: pa.Table) -> str:
    """Digest of a whole table: 32 hexadecimal digits."""
    digest = TableDigest(table.schema)
    digest.update(table)
    return digest.hexdigest()


def _row_sums(batch: pa.RecordBatch, salts: list[Words]) -> tuple[int, int]:
    """Sum over the rows of each row's two hashes (steps 4 and 5)."""
    rows_0, rows_1 = np.zeros((2, batch.num_rows), np.uint64)
    for column, salt in zip(batch.columns, salts, strict=True):
        cells_0, cells_1 = _cells(column, salt)
        rows_0 += cells_0
        rows_1 += cells_1
    return int(np.add.reduce(_mix_0(rows_0))), int(np.add.reduce(_mix_1(rows_1)))


def _cells(array: pa.Array, salt: Words) -> Lanes:
    """Two hashes of every value (step 4); shape (len(array),) each, fresh arrays."""
    if pa.types.is_dictionary(array.type):
        return _dictionary_cells(array, salt)
    if pa.types.is_null(array.type):
        return np.full(len(array), salt[2]), np.full(len(array), salt[3])
    words = _words(array)
    cells = _mix_0(words[0] + salt[0]), _mix_1(words[1] + salt[1])
    if array.null_count:
        missing = array.is_null().to_numpy(zero_copy_only=False)
        cells[0][missing], cells[1][missing] = salt[2], salt[3]
    return cells


def _dictionary_cells(array: pa.DictionaryArray, salt: Words) -> Lanes:
    """Hash every distinct value once; an index may be null, and so may the value it points to."""
    values = _cells(array.dictionary, salt)
    codes = array.indices.fill_null(len(array.dictionary)).to_numpy(zero_copy_only=False)
    return np.append(values[0], salt[2])[codes], np.append(values[1], salt[3])[codes]


def _words(array: pa.Array) -> Lanes:
    """Two words of every value (step 3); what stands under a null is arbitrary."""
    kind = array.type
    if pa.types.is_floating(kind):
        return _twice(_float_words(_fixed_width(array, np.dtype(f"f{kind.bit_width // 8}"))))
    if _is_text(kind):
        return _text_words(array)
    if _is_list(kind):
        return _list_words(array)
    if pa.types.is_boolean(kind):
        return _twice(_fixed_width(array.cast(pa.uint8()), np.dtype("u1")).astype(np.uint64))
    sign = "u" if pa.types.is_unsigned_integer(kind) else "i"
    numbers = _fixed_width(array, np.dtype(f"{sign}{kind.bit_width // 8}"))
    return _twice(numbers.astype(np.int64 if sign == "i" else np.uint64).view(np.uint64))


def _twice(words: Words) -> Lanes:
    return words, words


def _fixed_width(array: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """View the value buffer, without a copy and without a look at nulls."""
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize)


def _float_words(numbers: npt.NDArray[np.floating[Any]]) -> Words:
    width = numbers.dtype.itemsize
    with np.errstate(invalid="ignore"):  # a signalling NaN under a null is nobody's error
        positive = numbers + numbers.dtype.type(0)  # -0.0 + 0.0 = 0.0, all else stays
    bits: npt.NDArray[np.unsignedinteger[Any]] = positive.view(f"u{width}")
    missing = np.isnan(numbers)
    if missing.any():
        bits[missing] = _QUIET_NAN[width]
    return bits.astype(np.uint64, copy=False)


def _text_words(array: pa.Array) -> Lanes:
    wide = pa.large_string() if _logical(array.type) == "string" else pa.large_binary()
    plain = array.cast(wide)
    starts, lengths = _extents(plain)
    data = plain.buffers()[2]
    if data is None or lengths.sum() == 0:
        return _twice(lengths.astype(np.uint64))
    octets = np.frombuffer(data, np.uint8)[starts[0] : starts[-1] + lengths[-1]]
    pieces_each = (lengths + 7) // 8
    first_piece = np.cumsum(pieces_each) - pieces_each
    padded = np.zeros(8 * int(pieces_each.sum()), np.uint8)
    shift = 8 * first_piece - (starts - starts[0])
    padded[np.arange(octets.size) + np.repeat(shift, lengths)] = octets
    pieces = padded.view("<u8")
    return _fold(_twice(pieces), pieces_each, lengths)


def _list_words(array: pa.Array) -> Lanes:
    plain = array.cast(pa.large_list(array.type.value_field))
    starts, lengths = _extents(plain)
    if len(plain) == 0:
        return _twice(np.zeros(0, np.uint64))
    elements = plain.values.slice(starts[0], int(starts[-1] + lengths[-1] - starts[0]))
    return _fold(_cells(elements, _salt("pz-tsm element")), lengths, lengths)


def _extents(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Start and length of every value of a large_string, large_binary or large_list."""
    if len(array) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, 8 * array.offset)
    return offsets[:-1], np.diff(offsets)


def _fold(
    pieces: Lanes, counts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Lanes:
    """Join consecutive pieces, `counts` of them a value, into one word a value and lane."""
    first = np.cumsum(counts) - counts
    place = np.arange(1, len(pieces[0]) + 1) - np.repeat(first, counts)
    step = place.astype(np.uint64) * _GOLDEN
    filled = counts > 0  # reduceat has no notion of an empty run
    words = lengths.astype(np.uint64), lengths.astype(np.uint64)
    if len(step):
        for mix, piece, word in zip(_MIXES, pieces, words, strict=True):
            word[filled] += np.add.reduceat(mix(piece + step), first[filled])
    return words


def _mix_0(x: Words) -> Words:
    """Finaliser of splitmix64, in place."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _mix_1(x: Words) -> Words:
    """Finaliser of MurmurHash3 (fmix64), in place."""
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    x ^= x >> np.uint64(33)
    return x


_MIXES: tuple[Callable[[Words], Words], ...] = (_mix_0, _mix_1)


def _salt(text: str) -> Words:
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), "<u8")


def _columns(schema: pa.Schema) -> list[list[str]]:
    return [[field.name, _logical(field.type)] for field in schema]


def _logical(kind: pa.DataType) -> str:
    """Name of a type, equal for all layouts that hold the same values."""
    if pa.types.is_dictionary(kind):
        return _logical(kind.value_type)
    if _is_list(kind):
        return f"list<{_logical(kind.value_type)}>"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return "string"
    return "binary" if _is_text(kind) else str(kind)


def _is_text(kind: pa.DataType) -> bool:
    views = kind in (pa.string_view(), pa.binary_view())
    plain = pa.types.is_string(kind) or pa.types.is_binary(kind)
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    return bool(views or plain or large or pa.types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    variable = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(variable or pa.types.is_fixed_size_list(kind))


def _is_known(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or _is_list(kind):
        return _is_known(kind.value_type)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    # Intervals of months and days have no one integer.
    time = pa.types.is_temporal(kind) and not pa.types.is_interval(kind)
    return bool(number or time or _is_text(kind) or pa.types.is_null(kind))


def _refuse_unknown_types(schema: pa.Schema) -> None:
    problems = Problems()
    for field in schema:
        if not _is_known(field.type):
            problems.add(
                Code.TABLE_COLUMN_TYPE, f"column `{field.name}`", found=f"type {field.type}",
                expected="numbers, booleans, text, bytes, times, or lists of these",
                remedy="leave the column out or convert it before it is stored",
            )
    problems.raise_if_any()
