"""Which columns are the position: two of degrees, hours or sexagesimal text, or its parts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pz_tsm_core.inspection.column import Column
from pz_tsm_core.propose.vocabulary import Parts, plain, vocabulary
from pz_tsm_core.propose.weigh import AS_GOOD, others_of, weighed

Unit = Literal["deg", "hour", "hms", "dms", ""]

#: Points of two columns whose names differ in the coordinate alone.
_PAIR = 40.0
#: 10:02:33.1, 10h02m33.1s, 10 02 33.1, -04d46m56.3s
_SEXAGESIMAL = re.compile(
    r"\s*[+-]?\d{1,3}\s*[:hd°\s]\s*\d{1,2}\s*[:m'\s]\s*\d{1,2}(\.\d*)?\s*[s\"]?\s*")
#: Characters of such a text; longer ones would take the expression long to refuse.
_LONGEST = 40
#: Values that are looked at to know a text for an angle.
_SAMPLE = 1_000


@dataclass(frozen=True)
class Coordinate:
    """The columns of one coordinate.

    Parameters
    ----------
    columns : one; or the hours or degrees, minutes and seconds, before them perhaps the sign
    unit : as definitions say it; empty for another, that nothing here can convert
    others : columns that would do about as well
    """

    columns: tuple[Column, ...]
    unit: Unit
    others: tuple[Column, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is one column of degrees."""
        return len(self.columns) == 1 and self.unit == "deg"


Position = tuple[Coordinate, Coordinate]


def position(columns: Sequence[Column]) -> Position | None:
    """The columns that are ra and dec; None where there are none.

    Partners have one name but for the coordinate: `RAJ2000_WFI` goes with `DEJ2000_WFI`.
    """
    pairs = [(points_ra + points_dec + _PAIR * _are_partners(ra, dec), ra, dec)
             for (points_ra, ra), (points_dec, dec)
             in itertools.product(_usable("ra", columns), _usable("dec", columns))
             if ra.name != dec.name]
    if not pairs:
        return _in_parts(columns)
    pairs.sort(key=lambda pair: (-pair[0], pair[1].place, pair[2].place))
    best, ra, dec = pairs[0]
    close = [pair for pair in pairs[1:] if pair[0] > best - AS_GOOD]
    return (Coordinate((ra,), _unit(ra, "hms"), others_of(ra, (pair[1] for pair in close))),
            Coordinate((dec,), _unit(dec, "dms"), others_of(dec, (pair[2] for pair in close))))


def _usable(
    role: Literal["ra", "dec"], columns: Sequence[Column]
) -> Iterator[tuple[float, Column]]:
    """Columns that may be the coordinate, with their points: numbers, or angles as text."""
    for points, column in weighed(role, columns):
        if column.kind == "number" or _is_sexagesimal(column):
            yield points, column


def _texts(column: Column) -> list[str]:
    """Some texts of a column that are not blank."""
    sample = column.values.drop_null().slice(0, _SAMPLE).to_pylist()
    return [text for text in sample if text.strip()]


def _is_sexagesimal(column: Column) -> bool:
    texts = _texts(column)
    return bool(texts) and all(
        len(text) <= _LONGEST and _SEXAGESIMAL.fullmatch(text) for text in texts)


def _unit(column: Column, in_text: Literal["hms", "dms"]) -> Unit:
    """What the unit of a coordinate says, or its text; degrees where nothing says otherwise."""
    if column.kind == "text":
        wholes = [int(re.match(r"\s*[+-]?(\d+)", text)[1]) for text in _texts(column)]  # type: ignore[index]
        return "dms" if max(wholes) > 24 else in_text
    told = column.told("unit").lower()
    for unit, words in vocabulary().angles.items():
        if told in words:
            return unit
    return ""


def _in_parts(columns: Sequence[Column]) -> Position | None:
    """A position whose coordinates are hours or degrees, minutes and seconds in three columns."""
    known = vocabulary().parts
    ra, dec = _three(columns, known.ra), _three(columns, known.dec)
    if ra is None or dec is None:
        return None
    signs = [column for column in columns if column.kind == "text"
             and re.fullmatch(known.sign, plain(column.name)) and _are_signs(column)]
    return Coordinate(ra, "hms"), Coordinate((*signs[:1], *dec), "dms")


def _are_signs(column: Column) -> bool:
    return {text.strip() for text in column.counts} <= {"+", "-", ""}


def _three(columns: Sequence[Column], known: Parts) -> tuple[Column, ...] | None:
    """The three columns of a coordinate, of one stem; the first such in the file."""
    numbers = [column for column in columns if column.kind == "number"]
    for first in numbers:
        stem = re.fullmatch(f"({known.stem}?)({known.follow[0]})", plain(first.name))
        if stem is None:
            continue
        rest = [next((column for column in numbers if re.fullmatch(
            f"{re.escape(stem[1])}({ending})", plain(column.name))), None)
            for ending in known.follow[1:]]
        if all(rest):
            return (first, *(column for column in rest if column is not None))
    return None


def _are_partners(ra: Column, dec: Column) -> bool:
    return _without(ra, r"ra|alpha|right_?ascension") == _without(
        dec, r"declination|decl|dec|de|delta")


def _without(column: Column, coordinate: str) -> str:
    return re.sub(rf"(?<![a-z])({coordinate})(?=_|j?\d|deg|icrs|$)|({coordinate})$", "#",
                  plain(column.name), count=1)


def may_lose_signs(dec: Coordinate) -> bool:
    """Whether -0 degrees could not be told from 0: whole numbers of both signs, and no signs."""
    if len(dec.columns) != 3:
        return False
    whole = dec.columns[0]
    return bool(whole.is_whole and (whole.finite < 0).any() and (whole.finite == 0).any()
                and not np.signbit(whole.finite[whole.finite == 0]).any())
