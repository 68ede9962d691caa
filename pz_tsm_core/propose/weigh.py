"""Which column could be what, weighed by the vocabulary, by values and by neighbours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from pz_tsm_core.inspection.column import Column
from pz_tsm_core.propose.sentinels import Z_RANGE, coverage
from pz_tsm_core.propose.vocabulary import RoleName, plain, vocabulary

#: Points that values and neighbours add to those of names, units and UCDs.
_VALUES = 40.0
_UNIQUE = 60.0
_NAMES_ROWS = 40.0
_BELONGS = 50.0
_REPEATED = 0.1  # distinct values in a row: fewer name groups, not rows
_NEAR = 20.0
_NEXT_TO = 3  # columns between a redshift and what is said of it

#: Fewer points behind the first: as good a choice, to be named.
AS_GOOD = 15.0


@dataclass(frozen=True)
class Choice:
    """What was taken for a role, and what else could have been.

    Parameters
    ----------
    points : how strongly names, units, UCDs and values speak for it
    others : the next best that are about as good, the best first
    """

    column: Column
    points: float
    others: tuple[Column, ...] = ()


def redshift(columns: Sequence[Column]) -> Choice | None:
    """The column of redshifts, or of velocities where there is none."""
    return chosen(weighed("z", columns))


def is_velocity(column: Column) -> bool:
    """Whether a column chosen as redshift holds c z in km/s: by its unit, else by its size."""
    if is_in_km_s(column):
        return True
    return column.share(*Z_RANGE) < 0.5 and column.share(-3_000, 3_000_000) > 0.5 and bool(
        (abs(column.finite) > 100).mean() > 0.5
    )


def is_in_km_s(column: Column) -> bool:
    """Whether the file says that a column is in km/s.

    By its spelling: astropy's parser of units computes powers, also those that take for ever.
    """
    return re.sub(r"[\s.*^()]", "", column.told("unit").lower()) in vocabulary().velocities


def z_error(columns: Sequence[Column], z: Column) -> Choice | None:
    """The column of the errors of a redshift column: small, and none below 0 but sentinels."""
    found = []
    for points, column in weighed("z_err", columns, z):
        if column.name != z.name and column.share(0, _largest_error(z)) > 0.5:
            found.append((points, column))
    return chosen(found)


def _largest_error(z: Column) -> float:
    return 1e5 if is_velocity(z) else 10


def flags(columns: Sequence[Column], z: Column) -> tuple[tuple[float, Column], ...]:
    """Columns that may say how sure a redshift is, with their points, the likeliest first."""
    found = sorted(weighed("quality", columns, z), key=_order)
    return tuple(pair for pair in found if pair[1].name != z.name)


def kinds(
    role: Literal["object_class", "instrument_type"], columns: Sequence[Column],
    words: Iterable[str],
) -> Choice | None:
    """The column of classes, or of instruments, whose texts are all known words."""
    known = set(words)
    found = []
    for points, column in weighed(role, columns):
        said = {text.strip().lower() for text in column.counts}
        if said - {""} and said <= known:
            found.append((points + _VALUES * (1 - column.empty / len(column.values)), column))
    return chosen(found)


def identifier(columns: Sequence[Column]) -> tuple[Choice | None, Column | None]:
    """The column that names a row, and the one that is needed beside it where it repeats."""
    names = [pair for pair in weighed("id", columns)
             if pair[1].kind == "text" or pair[1].is_whole]
    found = [(points + _UNIQUE * _unique(column) + _NAMES_ROWS * (_unique(column) == 1), column)
             for points, column in names]
    choice = chosen([pair for pair in found if _unique(pair[1]) > _REPEATED])
    if choice is None or _unique(choice.column) == 1:
        return choice, None
    named = vocabulary().id_parts
    parts = (column for column in columns if re.fullmatch(named, plain(column.name)))
    whole = (part for part in parts if part.kind and _name_rows(choice.column, part))
    return choice, next(whole, None)


def _unique(column: Column) -> float:
    """Share of the rows that have a value of their own."""
    return column.distinct / max(1, len(column.values))


def _name_rows(first: Column, second: Column) -> bool:
    """Whether two columns together have another value in every row."""
    both = pa.table([first.values, second.values], names=["first", "second"])
    return bool(both.group_by(["first", "second"]).aggregate([]).num_rows == len(both))


def weighed(
    role: RoleName, columns: Sequence[Column], z: Column | None = None
) -> list[tuple[float, Column]]:
    """Every column with enough points for a role, and those points."""
    wanted = vocabulary().roles[role]
    points = ((_points(role, column, z), column) for column in columns
               if column.kind in wanted.kinds and column.values.null_count < len(column.values))
    return [(worth, column) for worth, column in points if worth >= wanted.needs]


def _points(role: RoleName, column: Column, z: Column | None) -> float:
    points = vocabulary().points(role, column.name, column.told("ucd"))
    if points <= -_VALUES or not (points > 0 or z is not None):
        return points  # no need to look at values
    return points + sum(_value_points(role, column, z))


def _value_points(role: RoleName, column: Column, z: Column | None) -> Iterator[float]:
    if role in ("ra", "dec") and column.kind == "number":
        within = column.share(-180, 360) if role == "ra" else column.share(-90, 90)
        yield _VALUES * (within if within > 0.5 else -10)
    if role == "z":
        yield _redshift_points(column)
    if z is not None and role in ("z_err", "quality"):
        yield _BELONGS * vocabulary().belongs(role, column.name, z.name)
        yield _NEAR * (abs(column.place - z.place) <= _NEXT_TO)


def _redshift_points(column: Column) -> float:
    """Whole numbers are flags, magnitudes lie beyond; the more rows have a redshift the better."""
    if is_velocity(column):
        return _VALUES / 2  # a redshift beside it is preferred
    if column.is_whole or column.share(*Z_RANGE) < 0.01:
        return -1000.0
    return _VALUES * coverage(column)


def _order(pair: tuple[float, Column]) -> tuple[float, int]:
    return -pair[0], pair[1].place


def chosen(weighed: list[tuple[float, Column]]) -> Choice | None:
    """The column with the most points, of equals the first in the file."""
    ranked = sorted(weighed, key=_order)
    if not ranked:
        return None
    points, best = ranked[0]
    close = (column for other, column in ranked[1:] if other > points - AS_GOOD)
    return Choice(best, points, others_of(best, close))


def others_of(best: Column, close: Iterable[Column]) -> tuple[Column, ...]:
    """The first three of the others, each once."""
    unlike = {column.name: column for column in close if column.name != best.name}
    return tuple(itertools.islice(unlike.values(), 3))
