"""Columns of text that hold numbers, but for a few words that stand for none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.inspection.column import Column
from pz_tsm_core.propose.vocabulary import plain, vocabulary

_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
#: More words than these are no way to say `none`.
_WORDS = 4


@dataclass(frozen=True)
class TextNumbers(Column):
    """A column of text by the numbers in it.

    Parameters
    ----------
    words : texts that are no number
    """

    words: tuple[str, ...] = ()


def with_numbers(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns; text that is called like a redshift and holds numbers is taken by these."""
    return tuple(_with_numbers(columns))


def _with_numbers(columns: Sequence[Column]) -> Iterator[Column]:
    roles = [vocabulary().roles[role] for role in ("z", "z_err")]
    for column in columns:
        named = any(role.points_of_name(plain(column.name)) >= role.needs for role in roles)
        yield (_numbers(column) if named and column.kind == "text" else None) or column


def _numbers(column: Column) -> TextNumbers | None:
    text = pc.utf8_trim_whitespace(column.values)
    is_number = pc.match_substring_regex(text, _NUMBER)
    words = [word for word in pc.unique(text.filter(pc.invert(is_number))).to_pylist() if word]
    if len(words) > _WORDS or not (pc.mean(is_number).as_py() or 0) > 0.5:
        return None
    known = pc.if_else(is_number, text, pa.scalar(None, pa.string()))
    field = column.field.with_type(pa.float64())
    return TextNumbers(column.place, field, known.cast(pa.float64()), tuple(sorted(words)))
