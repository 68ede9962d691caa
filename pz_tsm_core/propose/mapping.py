"""Which column is what; or why a table cannot be used as it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.inspection.column import Column, shown
from pz_tsm_core.propose import weigh
from pz_tsm_core.propose.flags import can_be_read
from pz_tsm_core.propose.position import Coordinate, Position, position
from pz_tsm_core.propose.text_numbers import with_numbers
from pz_tsm_core.propose.vocabulary import vocabulary
from pz_tsm_core.propose.weigh import Choice

#: Share of negative right ascensions that is no mistake of single rows.
_NEGATIVE = 0.1
#: Columns that a refusal lists.
_LISTED = 40
_WANTED = {
    "a position": "ra and dec, RAJ2000 and DEJ2000, alpha and delta, TARGET_RA and TARGET_DEC: "
                  "degrees, or text such as 10:02:33.1",
    "a redshift": "z, redshift, zspec, Z_BEST or cz, as numbers",
}


@dataclass(frozen=True)
class Mapping:
    """The columns of a redshift table by what they hold; None for what it does not tell.

    Parameters
    ----------
    id_part : column that names a row together with `id`, where that alone repeats
    velocity : `z` is c z, in km/s
    flags : columns that may say how sure a redshift is, with their points, the likeliest first
    """

    ra: Coordinate
    dec: Coordinate
    z: Choice
    id: Choice | None
    id_part: Column | None
    z_err: Choice | None
    flags: tuple[tuple[float, Column], ...]
    object_class: Choice | None
    instrument_type: Choice | None
    velocity: bool


def map_columns(columns: Sequence[Column]) -> Mapping:
    """Say which column is what.

    Raises
    ------
    TsmError
        `table.missing-column` without a position or a redshift, naming what there is and what was
        looked for; `table.unit` and `position.range` for positions that nothing can convert.
    """
    columns = with_numbers(columns)
    place, z = position(columns), weigh.redshift(columns)
    problems = Problems()
    if place is None:
        _tell_missing(problems, "a position", columns)
    else:
        _check(problems, place)
    if z is None:
        _tell_missing(problems, "a redshift", columns)
    if place is None or z is None or problems.found:
        raise TsmError(*problems.found)
    return _rest(columns, place, z)


def _rest(columns: Sequence[Column], place: Position, z: Choice) -> Mapping:
    """What goes with a position and a redshift."""
    taken = {z.column.name, *(column.name for one in place for column in one.columns)}
    free = [column for column in columns if column.name not in taken]
    readable = [column for column in free if can_be_read(column)]
    known = vocabulary()
    ident, part = weigh.identifier(free)
    return Mapping(
        *place, z, ident, part,
        z_err=weigh.z_error(free, z.column),
        flags=weigh.flags(readable, z.column),
        object_class=weigh.kinds("object_class", readable, _words(known.object_classes.values())),
        instrument_type=weigh.kinds(
            "instrument_type", readable, _words(known.instrument_types.values())),
        velocity=weigh.is_velocity(z.column),
    )


def _words(said: Iterable[Iterable[str]]) -> Iterable[str]:
    return itertools.chain.from_iterable(said)


def _tell_missing(problems: Problems, what: str, columns: Sequence[Column]) -> None:
    names = [column.name for column in columns[:_LISTED]]
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    problems.add(
        Code.TABLE_MISSING_COLUMN, what,
        found=f"columns {', '.join(names)}{more}: none is {what}",
        expected=f"columns such as {_WANTED[what]}",
        remedy="rename the column, or write the recipe by hand (README: redshifts.tables says "
               "which column is what)",
    )


def _check(problems: Problems, place: Position) -> None:
    """Refuse positions that no definition can convert."""
    for coordinate in place:
        column = coordinate.columns[0]
        if not coordinate.unit:
            problems.add(Code.TABLE_UNIT, f"column {column.name}",
                         found=f"the unit `{column.told('unit')}`",
                         expected="deg or hour", remedy="convert the column to degrees")
    ra = place[0]
    if ra.is_plain and ra.columns[0].share(-180, -1e-9) > _NEGATIVE and ra.columns[0].bounds:
        low, high = map(shown, ra.columns[0].bounds)
        problems.add(Code.POSITION_RANGE, f"column {ra.columns[0].name}",
                     found=f"values from {low} to {high}",
                     expected="right ascensions from 0 to 360 deg",
                     remedy="add 360 to the negative ones")
