"""Types of columns of text that declares none: the narrowest that loses nothing of any value."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_WHOLE = r"^-?(?:0|[1-9][0-9]*)$"
#: Digits that a float would not keep: leading zeros, or more than it holds.
_FRAGILE = r"^-?(?:0[0-9]+|[0-9]{16,})$"
#: Null is among them: it is no reason against a type.
_TRUTH = pa.array(["true", "True", "TRUE", "false", "False", "FALSE", None])


class Possible:
    """What a column may be, by those of its values that were seen."""

    def __init__(self) -> None:
        self._empty = self._truth = self._real = True
        self._whole = [pa.int64(), pa.uint64()]

    @property
    def type(self) -> pa.DataType:
        """The narrowest type that holds all values; `null` where there is none."""
        if self._empty:
            return pa.null()
        if self._whole:
            return self._whole[0]
        if self._truth:
            return pa.bool_()
        return pa.float64() if self._real else pa.string()

    def see(self, text: pa.Array) -> None:
        """Give up the types that do not hold these values."""
        if text.null_count == len(text):
            return
        trimmed = pc.utf8_trim_whitespace(text)
        self._empty = False
        if self._whole and not _all(pc.match_substring_regex(trimmed, _WHOLE)):
            self._whole = []
        self._whole = [kind for kind in self._whole if _holds(kind, trimmed)]
        self._truth = self._truth and _all(pc.is_in(trimmed, _TRUTH))
        self._real = self._real and _holds(pa.float64(), trimmed) and not _fragile(trimmed)


def cast(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values in a type that holds them.

    Raises
    ------
    pyarrow.ArrowInvalid
        For a value that is not of the type.
    """
    if pa.types.is_string(kind):
        return text
    if pa.types.is_null(kind):
        return pa.nulls(len(text))
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.equal(pc.utf8_lower(trimmed), "true") if kind == pa.bool_() else trimmed.cast(kind)


def _all(holds: pa.Array) -> bool:
    return bool(pc.all(holds).as_py())


def _fragile(trimmed: pa.Array) -> bool:
    """Whether a float would lose digits of a value; one with a point is not looked at twice."""
    whole = trimmed.filter(pc.invert(pc.match_substring(trimmed, ".")))
    return bool(pc.any(pc.match_substring_regex(whole, _FRAGILE)).as_py())


def _holds(kind: pa.DataType, trimmed: pa.Array) -> bool:
    try:
        trimmed.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
