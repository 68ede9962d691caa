"""The columns of a match as a catalogue: which come along, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.sky.objects import Objects
from pz_tsm_core.sky.partition import SPATIAL_INDEX_COLUMN

#: The separation in arcsec, as LSDB calls it.
DISTANCE = pa.field("_dist_arcsec", pa.float64())

#: Names of columns; None for those that the catalogue shows by default.
Asked: TypeAlias = Sequence[str] | Literal["all"] | None


class Naming(Value):
    """How columns of two catalogues are told apart."""

    #: Of the left and the right catalogue; None for their names behind `_`.
    suffixes: tuple[str, str] | None = None
    #: Which columns have them: those of a name that both catalogues have, or all.
    method: Literal["overlapping_columns", "all_columns"] = "overlapping_columns"


class MatchColumns(NamedTuple):
    """Columns of a match.

    Parameters
    ----------
    left, right : as they are stored, in their order
    joined : as they are called in the match: the left ones, the right ones, the separation
    """

    left: pa.Schema
    right: pa.Schema
    joined: pa.Schema

    def of_left(self, name: str) -> str:
        """What a column of the left catalogue is called in the match."""
        return str(self.joined.names[self.left.names.index(name)])


def joined_columns(
    left: Objects, right: Objects, asked: tuple[Asked, Asked], naming: Naming
) -> MatchColumns:
    """Say which columns a match has; positions of both catalogues are among them, as in LSDB.

    Raises
    ------
    TsmError
        `catalog.missing-column`; `table.duplicate-column` for names that are equal in the end.
    """
    wanted = _both(left, right, asked)
    shared = set(wanted[0]) & set(wanted[1])
    names = [name + suffix if naming.method == "all_columns" or name in shared else name
             for columns, suffix in zip(wanted, _suffixes(left, right, naming), strict=True)
             for name in columns]
    _require_distinct([*names, DISTANCE.name])
    stored = [pa.schema([each.schema.field(name) for name in columns])
              for each, columns in zip((left, right), wanted, strict=True)]
    fields = [pa.field(name, field.type)
              for name, field in zip(names, [*stored[0], *stored[1]], strict=True)]
    return MatchColumns(stored[0], stored[1], pa.schema([*fields, DISTANCE]))


def catalog_name(objects: Objects) -> str:
    """What a catalogue calls itself."""
    return str(objects.catalog.layout.properties.catalog_name)


def _both(left: Objects, right: Objects, asked: tuple[Asked, Asked]) -> tuple[list[str], list[str]]:
    """The columns wanted of each, with the mistakes of both."""
    problems, wanted = Problems(), (_wanted(left, asked[0]), _wanted(right, asked[1]))
    for objects, columns in zip((left, right), wanted, strict=True):
        try:
            objects.require(columns)
        except TsmError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    return wanted


def _wanted(objects: Objects, asked: Asked) -> list[str]:
    """As `lsdb.open_catalog` takes them, but for the spatial index, which is no column there."""
    properties = objects.catalog.layout.properties
    names = properties.default_columns if asked is None else asked
    if names is None or names == "all":
        names = objects.schema.names
    index = {SPATIAL_INDEX_COLUMN, properties.healpix_column}
    return [name for name in dict.fromkeys([*names, objects.ra, objects.dec]) if name not in index]


def _suffixes(left: Objects, right: Objects, naming: Naming) -> tuple[str, str]:
    if naming.suffixes is not None:
        return naming.suffixes
    names = catalog_name(left), catalog_name(right)
    return ("", "_right") if names[0] == names[1] else (f"_{names[0]}", f"_{names[1]}")


def _require_distinct(names: Sequence[str]) -> None:
    problems = Problems()
    for name, times in Counter(names).items():
        if times > 1:
            problems.add(Code.TABLE_DUPLICATE_COLUMN, f"column {name}",
                         found=f"{times} of them in the match", expected="every name once",
                         remedy="choose other suffixes, or leave the column out")
    problems.raise_if_any()
