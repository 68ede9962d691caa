"""Two hashes of every value of a column: steps 1 to 4 of the specification in `store.digest`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.store.logical import is_list, is_text, logical

Words: TypeAlias = npt.NDArray[np.uint64]
Lanes: TypeAlias = tuple[Words, Words]
Octets: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_QUIET_NAN = {2: 0x7E00, 4: 0x7FC00000, 8: 0x7FF8000000000000}

#: Bytes up to which all texts are hashed piece by piece together, not one text behind the other.
_SHORT = 256
#: Masks that leave the first 0, 1 ... 8 bytes of a piece.
_FIRST_OCTETS = np.array([2 ** (8 * kept) - 1 for kept in range(9)], np.uint64)


def cells(array: pa.Array, salt: Words) -> Lanes:
    """Two hashes of every value (step 4); shape (len(array),) each, fresh arrays."""
    if pa.types.is_dictionary(array.type):
        return _dictionary_cells(array, salt)
    if pa.types.is_null(array.type):
        return np.full(len(array), salt[2]), np.full(len(array), salt[3])
    words = _words(array)
    cells = mix_0(words[0] + salt[0]), mix_1(words[1] + salt[1])
    if array.null_count:
        missing = array.is_null().to_numpy(zero_copy_only=False)
        cells[0][missing], cells[1][missing] = salt[2], salt[3]
    return cells


def holds_one_value(array: pa.Array) -> bool:
    """Whether all values are surely the same; False also where to look would take long."""
    if array.null_count:
        return bool(array.null_count == len(array))
    kind = array.type
    quick = pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not quick or not len(array) or array[0] != array[-1]:
        return False
    return bool(pc.all(pc.equal(array, array[0])).as_py())


def _dictionary_cells(array: pa.DictionaryArray, salt: Words) -> Lanes:
    """Hash every distinct value once; an index may be null, and so may the value it points to."""
    values = cells(array.dictionary, salt)
    codes = array.indices.fill_null(len(array.dictionary)).to_numpy(zero_copy_only=False)
    return np.append(values[0], salt[2])[codes], np.append(values[1], salt[3])[codes]


def _words(array: pa.Array) -> Lanes:
    """Two words of every value (step 3); what stands under a null is arbitrary."""
    kind = array.type
    if pa.types.is_floating(kind):
        return _twice(_float_words(_fixed_width(array, np.dtype(f"f{kind.bit_width // 8}"))))
    if is_text(kind):
        return _text_words(array)
    if is_list(kind):
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
    plain = array.cast(pa.large_string() if logical(array.type) == "string" else pa.large_binary())
    starts, lengths = _extents(plain)
    data = plain.buffers()[2]
    if data is None or lengths.sum() == 0:
        return _twice(lengths.astype(np.uint64))
    octets = np.frombuffer(data, np.uint8)[starts[0] : starts[-1] + lengths[-1]]
    of_texts = _short_text_words if lengths.max() <= _SHORT else _long_text_words
    return of_texts(octets, starts - starts[0], lengths)


def _short_text_words(octets: Octets, starts: Ints, lengths: Ints) -> Lanes:
    words = lengths.astype(np.uint64), lengths.astype(np.uint64)
    for place, (rows, piece) in enumerate(_pieces(octets, starts, lengths), 1):
        step = np.uint64(place * int(_GOLDEN) % 2**64)
        for mix, word in zip(_MIXES, words, strict=True):
            word[rows] += mix(piece + step)
    return words


def _pieces(
    octets: Octets, starts: Ints, lengths: Ints
) -> Iterator[tuple[slice | npt.NDArray[np.intp], Words]]:
    """The first piece of every text, then the second of those that have one ..., with their rows.

    A piece starts anywhere: it is put together of the two aligned words that it lies in.
    """
    aligned = np.zeros(octets.size // 8 + 2, "<u8")
    aligned.view(np.uint8)[: octets.size] = octets
    shortest = int(lengths.min())
    for begin in range(0, int(lengths.max()), 8):
        all_have_one = begin < shortest
        rows = slice(None) if all_have_one else np.flatnonzero(lengths > begin)
        at, left = starts[rows] + begin, lengths[rows] - begin
        word, shift = at >> 3, ((at & 7) << 3).view(np.uint64)
        piece = np.take(aligned, word) >> shift
        piece |= np.take(aligned, word + 1) << np.uint64(1) << (np.uint64(63) - shift)
        if shortest < begin + 8:
            piece &= np.take(_FIRST_OCTETS, np.minimum(left, 8))
        yield rows, piece


def _long_text_words(octets: Octets, starts: Ints, lengths: Ints) -> Lanes:
    pieces_each = (lengths + 7) // 8
    first_piece = np.cumsum(pieces_each) - pieces_each
    padded = np.zeros(8 * int(pieces_each.sum()), np.uint8)
    padded[np.arange(octets.size) + np.repeat(8 * first_piece - starts, lengths)] = octets
    return _fold(_twice(padded.view("<u8")), pieces_each, lengths)


def _list_words(array: pa.Array) -> Lanes:
    plain = array.cast(pa.large_list(array.type.value_field))
    starts, lengths = _extents(plain)
    if len(plain) == 0:
        return _twice(np.zeros(0, np.uint64))
    elements = plain.values.slice(starts[0], int(starts[-1] + lengths[-1] - starts[0]))
    return _fold(cells(elements, salt_of("pz-tsm element")), lengths, lengths)


def _extents(array: pa.Array) -> tuple[Ints, Ints]:
    """Start and length of every value of a large_string, large_binary or large_list."""
    if len(array) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, 8 * array.offset)
    return offsets[:-1], np.diff(offsets)


def _fold(
    pieces: Lanes, counts: Ints, lengths: Ints
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


def mix_0(x: Words) -> Words:
    """Finaliser of splitmix64, in place."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def mix_1(x: Words) -> Words:
    """Finaliser of MurmurHash3 (fmix64), in place."""
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    x ^= x >> np.uint64(33)
    return x


_MIXES: tuple[Callable[[Words], Words], ...] = (mix_0, mix_1)


def salt_of(text: str) -> Words:
    """Four words that follow from a text (step 2)."""
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), "<u8")
