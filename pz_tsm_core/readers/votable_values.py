"""Values of a VOTable that are written as text (VOTable 1.5, sections 2 and 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.readers.votable_scan import FieldTag

#: What may stand around a value.
_BLANKS = " \t\r\n"

#: Words for truth values; what stands for none.
_TRUTH = {
    "boolean": {"TRUE": True, "T": True, "1": True, "FALSE": False, "F": False, "0": False,
                "?": None, "": None},
    "bit": {"1": True, "0": False, "": None},
}

#: What stands for a missing number; the word null is that of some archives.
_MISSING = ("", "nan", "null")


class WrongValueError(ValueError):
    """A text that is no value of its datatype.

    Parameters
    ----------
    place : which of the texts
    """

    def __init__(self, place: int) -> None:
        self.place = place
        super().__init__(f"value {place}")


def parsed(cells: list[str], one: FieldTag, *, empty_integers: bool = True) -> pa.Array:
    """The values of a column; an empty text stays a text, as the format has no other word.

    Parameters
    ----------
    empty_integers : whether nothing stands for a missing integer, as since version 1.3

    Raises
    ------
    WrongValueError
        for the first that is not of the datatype: out of its range, too long, another word.
    """
    text = pc.utf8_trim(pa.array(cells, pa.string()), _BLANKS)
    if one.type == pa.string():
        return _within(text, one.count)
    if one.type == pa.bool_():
        return _truths(text, _TRUTH[one.datatype_name])
    missing = [*_MISSING, one.null.strip(_BLANKS).lower()]
    if pa.types.is_integer(one.type) and not empty_integers:
        missing = [word for word in missing if word]
    return without_null(_numbers(text, one.type, missing), one)


def without_null(values: pa.Array, one: FieldTag) -> pa.Array:
    """Numbers, with null for what the column declares as missing, and for NaN."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    null = _declared_null(one)
    if null.is_valid:
        values = pc.if_else(pc.equal(values, null), pa.scalar(None, values.type), values)
    return values


def _declared_null(one: FieldTag) -> pa.Scalar:
    try:
        return _numbers(pa.array([one.null.strip(_BLANKS)]), one.type, _MISSING)[0]
    except WrongValueError:  # a word, which stands in cells alone
        return pa.scalar(None, one.type)


def _within(text: pa.Array, most: int) -> pa.Array:
    """The texts, none longer than declared; 0 for any length."""
    if most:
        _refuse_first(pc.greater(pc.utf8_length(text), most))
    return text


def _truths(text: pa.Array, words: dict[str, bool | None]) -> pa.Array:
    places = pc.index_in(pc.utf8_upper(text), pa.array(list(words)))
    _refuse_first(places.is_null())
    return pa.array(list(words.values()), pa.bool_()).take(places)


def _numbers(text: pa.Array, kind: pa.DataType, missing: Sequence[str]) -> pa.Array:
    word = pc.utf8_lower(text)
    word = pc.if_else(pc.is_in(word, pa.array(missing)), pa.scalar(None, pa.string()), word)
    whole = pa.types.is_integer(kind)
    # Arrow takes hexadecimal digits for bits, and gives a sign to the highest.
    if not (whole and pc.any(pc.match_substring(word, "x")).as_py()):
        try:
            return word.cast(kind)
        except pa.ArrowInvalid:
            pass  # a wrong value, or one that only Python's own parsers know
    return _each(word, kind, _integer if whole else float)


def _integer(word: str) -> int:
    return int(word[2:], 16) if word.startswith("0x") else int(word, 10)


def _each(words: pa.Array, kind: pa.DataType, parse: Callable[[str], Any]) -> pa.Array:
    values = []
    for place, word in enumerate(words.to_pylist()):
        try:
            values.append(None if word is None else pa.scalar(parse(word), kind).as_py())
        except (ValueError, OverflowError):  # of ArrowInvalid, too
            raise WrongValueError(place) from None
    return pa.array(values, kind)


def _refuse_first(wrong: pa.Array) -> None:
    place = pc.index(wrong, True).as_py()
    if place >= 0:
        raise WrongValueError(place)
