"""Columns that a configuration carries over from the catalogues: `extra_columns`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import nearest
from pz_tsm_core.legacy.text import cleaned, is_text, numbers_in

Kind = Literal["str", "float", "int", "bool"]

#: Words for types -> the kind that they mean.
KINDS: Mapping[str, Kind] = {
    "str": "str", "string": "str", "float": "float", "float64": "float", "double": "float",
    "int": "int", "int64": "int", "bool": "bool", "boolean": "bool",
}
_TYPES: Mapping[Kind, pa.DataType] = {
    "str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(),
}
#: Columns of every product, which none of these can be.
RESERVED = frozenset({
    "CRD_ID", "id", "ra", "dec", "z", "z_flag", "z_err", "instrument_type", "survey", "source",
    "tie_result", "compared_to", "group_id", "z_flag_homogenized", "instrument_type_homogenized",
    "object_type_homogenized", "is_in_DP1_fields", "is_in_rubin_footprint",
})

_WHOLE = r"^[+-]?[0-9]{1,18}$"


@dataclass(frozen=True)
class ExtraColumn:
    """A column of the product that is a column of some of the catalogues.

    Parameters
    ----------
    source : its native name
    """

    name: str
    source: str
    kind: Kind


def extra_columns(value: Any) -> Any:
    """Read `NAME: type` and `NAME: {source: column, type: type}`.

    Raises
    ------
    ValueError
        with every name and type that cannot be.
    """
    if value is None or isinstance(value, tuple):
        return value or ()
    if not isinstance(value, Mapping):
        raise ValueError("a mapping of names of columns to str, float, int or bool")  # noqa: TRY004
    read, wrong = list[ExtraColumn](), list[str]()
    for name, said in value.items():
        try:
            read.append(_one(str(name).strip(), said))
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(read)


def _one(name: str, said: Any) -> ExtraColumn:
    if not name or name in RESERVED:
        raise ValueError("a name that no column of every product has")
    options = said if isinstance(said, Mapping) else {"type": said}
    for key in options:
        if key not in ("source", "type"):
            raise ValueError(f"unknown key `{key}`, {nearest(str(key), ('source', 'type'))}")
    source = str(options.get("source", name)).strip()
    if not source:
        raise ValueError("an empty source")
    return ExtraColumn(name, source, kind_named(options.get("type")))


def kind_named(word: Any) -> Kind:
    """The kind that a word means."""
    text = str(word).strip().lower()
    if text not in KINDS:
        raise ValueError(f"the type `{word}`, {nearest(text, KINDS)}")
    return KINDS[text]


def nothing(rows: int, kind: Kind) -> pa.Array:
    """A column without any value."""
    return pa.nulls(rows, _TYPES[kind])


def as_kind(values: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    """Values in a type; null where they say none of it. Whole numbers never pass through float."""
    return _CASTS[kind](values)


def _as_number(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if is_text(values.type):
        return numbers_in(values)
    try:
        numbers = values.cast(pa.float64(), safe=False)
    except pa.ArrowNotImplementedError:  # dates, lists
        return pa.chunked_array([nothing(len(values), "float")])
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _as_whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.int64(), safe=False)
    if is_text(values.type):
        text = pc.utf8_trim_whitespace(values.cast(pa.string()))
        written = pc.match_substring_regex(text, _WHOLE)
        digits = pc.replace_substring_regex(text, r"^\+", "")
        exact = pc.if_else(written, digits, pa.scalar(None, pa.string())).cast(pa.int64())
    else:
        exact = pa.chunked_array([nothing(len(values), "int")])
    numbers = _as_number(values)
    whole = pc.and_(pc.equal(numbers, pc.floor(numbers)), pc.less(pc.abs(numbers), 2.0**63))
    rounded = pc.if_else(whole, numbers, pa.scalar(None, pa.float64())).cast(pa.int64())
    return pc.coalesce(exact, rounded)


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return cleaned(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([nothing(len(values), "str")])


def _as_truth(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(values.type):
        return values
    return pa.chunked_array([nothing(len(values), "bool")])


_CASTS: Mapping[Kind, Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
    "str": _as_text, "float": _as_number, "int": _as_whole, "bool": _as_truth,
}
