"""Text columns as the older pipeline cleans them, and the numbers that stand in them."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

#: Texts that stand for nothing, in any case.
PLACEHOLDERS = ("", "none", "null", "nan")

#: Flags that two surveys write as letters or words, and what they are worth; any case.
SCORES: Mapping[str, Mapping[str, float]] = {
    "JADES": {"A": 4, "B": 3, "C": 2, "D": 1, "E": 0},
    "VIMOS": {"LRB_X": 0, "MR_X": 0, "LRB_B": 1, "LRB_C": 1, "MR_C": 1, "MR_B": 3, "LRB_A": 4,
              "MR_A": 4},
}

_NUMBER = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$|^-?inf(inity)?$"


def is_text(type_: pa.DataType) -> bool:
    """Whether values of a type are texts, dictionary-encoded ones included."""
    value = type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value)
                or pa.types.is_string_view(value))


def as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of any simple type as texts."""
    return values.cast(pa.string())


def cleaned(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without blanks around them, null where they stand for nothing."""
    stripped = pc.utf8_trim_whitespace(as_text(values))
    nothing = pc.is_in(pc.utf8_lower(stripped), pa.array(PLACEHOLDERS))
    return pc.if_else(nothing, pa.scalar(None, pa.string()), stripped)


def numbers_in(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The float64 that each text says; null where it says none."""
    text = pc.utf8_lower(pc.utf8_trim_whitespace(as_text(values)))
    text = pc.replace_substring_regex(text, r"^\+", "")
    is_number = pc.match_substring_regex(text, _NUMBER)
    return pc.if_else(is_number, text, pa.scalar(None, pa.string())).cast(pa.float64())


def scored(flags: pa.ChunkedArray, surveys: pa.ChunkedArray) -> pa.ChunkedArray:
    """The number of each flag that is written as text; null where it has none.

    Parameters
    ----------
    surveys : the cleaned survey of each row, in capitals
    """
    numbers = numbers_in(flags)
    words = pc.utf8_upper(pc.utf8_trim_whitespace(as_text(flags)))
    for survey, scores in SCORES.items():
        place = pc.index_in(words, pa.array(list(scores)))
        worth = pc.take(pa.array(list(scores.values()), pa.float64()), place)
        of_survey = pc.fill_null(pc.equal(surveys, survey), fill_value=False)
        numbers = pc.coalesce(numbers, pc.if_else(of_survey, worth,
                                                  pa.scalar(None, pa.float64())))
    return numbers
