"""All objects near all positions: planned by pixels, searched file by file, ranked at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sky.cluster import Pool
from pz_tsm_core.sky.cover import cover_discs
from pz_tsm_core.sky.margin import INDEX_ORDER, Floats, Int64s
from pz_tsm_core.sky.objects import ObjectFile, Objects
from pz_tsm_core.sky.payload import Chosen
from pz_tsm_core.sky.search import Criteria, Neighbors, Places, Task, nearest, search

#: Positions that are looked for together: their cover takes some hundred megabytes.
POSITIONS = 1_000_000


#: Positions in single precision are so far, at most, from those that chose the partition.
ROUNDED_ARCSEC = 0.15

#: Files that tell whether `_healpix_29` can be believed.
FILES_ASKED = 3


@dataclass(frozen=True)
class Pairs:
    """Positions with the objects near them, sorted by position and then by rank.

    Parameters
    ----------
    file : number of the object's file in `files`, shape (n,)
    neighbors : position, row in that file, id, place and separation of the object
    """

    objects: Objects
    files: tuple[ObjectFile, ...]
    file: Places
    neighbors: Neighbors

    def __len__(self) -> int:
        return len(self.file)

    @property
    def position(self) -> Places:
        """Number of the position of each pair, ascending."""
        return self.neighbors.disc

    @cached_property
    def rank(self) -> Int64s:
        """Of each object near its position: 0 for the nearest."""
        return np.arange(len(self)) - np.repeat(self._starts, self._lengths)

    @cached_property
    def candidates(self) -> Int64s:
        """How many objects are near each one's position, also those that were not kept."""
        return np.repeat(self.neighbors.n_near[self._starts], self._lengths)

    @cached_property
    def _starts(self) -> Places:
        return run_starts(self.position)

    @cached_property
    def _lengths(self) -> Places:
        return run_lengths(self._starts, len(self))

    def chosen(self, place: Places, id_column: str = "") -> Chosen:
        """The objects at certain places, with what the search has read of them."""
        found = self.neighbors.at(place)
        named = {self.objects.ra: pa.array(found.ra), self.objects.dec: pa.array(found.dec)}
        if id_column:
            named[id_column] = pa.array(found.id)
        schema = self.objects.schema
        known = {name: values.cast(schema.field(name).type) for name, values in named.items()}
        return Chosen(self.files, self.file[place], found.row, schema, known)


def find_pairs(
    ra: Floats, dec: Floats, objects: Objects, criteria: Criteria, pool: Pool
) -> Pairs:
    """Find the objects near each position; memory holds positions and pairs, never a catalogue.

    Parameters
    ----------
    ra, dec : ICRS positions in degrees, shape (n,); best in the order of the sky, for a file is
        read once for each of the blocks of positions that it concerns

    Raises
    ------
    TsmError
        as `search`; `catalog.missing-column` for criteria that name a column it lacks;
        `position.out-of-range` for positions that are not on the sphere.
    """
    _require_positions(ra, dec)
    objects.require([*filter(None, (criteria.id, criteria.primary))])
    finder = _Finder(objects, criteria, pool)
    blocks = [finder.find(ra, dec, begin) for begin in range(0, len(ra), POSITIONS)]
    file = np.concatenate([np.empty(0, np.intp), *(file for file, _ in blocks)])
    ranked = Neighbors.together([neighbors for _, neighbors in blocks])
    return Pairs(objects, tuple(finder.numbers), file, ranked)


def _require_positions(ra: Floats, dec: Floats) -> None:
    astray = int((~np.isfinite(ra) | ~(np.abs(dec) <= 90)).sum())
    if astray:
        raise refuse(Code.POSITION_RANGE, "positions to match", found=f"{astray} of {len(ra)}",
                     expected="ra and dec in degrees for every row",
                     remedy="drop rows without a position; check unit and frame")


@dataclass
class _Finder:
    """Looks for the neighbours of blocks of positions, and numbers the files that it meets.

    Parameters
    ----------
    searched : how many searches of a file are done
    """

    objects: Objects
    criteria: Criteria
    pool: Pool
    numbers: dict[ObjectFile, int] = field(default_factory=dict)
    searched: int = field(default=0, init=False)

    def find(self, ra: Floats, dec: Floats, begin: int) -> tuple[Places, Neighbors]:
        """The neighbours of a block of positions, ranked, and the number of the file of each."""
        block = slice(begin, begin + POSITIONS)
        tasks = believed(list(plan_tasks(ra[block], dec[block], self.objects, self.criteria)),
                         self.pool)
        found = list(self.pool.in_order(search, tasks, before=self.searched,
                                        total=self._expected(len(tasks), begin, len(ra))))
        self.searched += len(tasks)
        number = [self.numbers.setdefault(task.file, len(self.numbers)) for task in tasks]
        file = np.repeat(np.array(number, np.intp), [len(each.disc) for each in found])
        together = Neighbors.together(found)
        # What the sort moves takes its place along, by which its file is found again.
        placed = replace(together, row=np.arange(len(file)))
        ranked = nearest(placed, self.criteria.n_neighbors)
        return file[ranked.row], replace(ranked, row=together.row[ranked.row],
                                         disc=ranked.disc + begin)

    def _expected(self, tasks: int, begin: int, positions: int) -> int:
        """How many searches there will be for all positions, by those up to this block."""
        planned = min(begin + POSITIONS, positions)
        return (self.searched + tasks) * positions // planned


def plan_tasks(
    ra: Floats, dec: Floats, objects: Objects, criteria: Criteria
) -> Iterator[Task]:
    """A task for each file whose partition a disc may touch, in the order of the sky.

    Parameters
    ----------
    ra, dec : ICRS positions in degrees, shape (n,)
    """
    blur = 0.0 if objects.exact else ROUNDED_ARCSEC
    cover = cover_discs(ra, dec, criteria.radius_arcsec + blur)
    for tile in objects.tiles:
        part = cover.within(*tile.range_at(INDEX_ORDER))
        if not len(part.cells):
            continue
        disc = np.unique(part.disc)
        if blur:  # objects may stand beyond the border of their partition
            part = cover.of(disc)
        for file in objects.files(tile):
            yield Task(file, part, disc, ra[disc], dec[disc], criteria)


def believed(tasks: list[Task], pool: Pool) -> list[Task]:
    """The tasks, without the spatial index of the files if it is not that of their positions.

    Some rows of a few files tell: whoever made one file of a catalogue made them all.
    """
    some = {int(place) for place in np.linspace(0, len(tasks) - 1, FILES_ASKED)} if tasks else ()
    files = [tasks[place].file for place in sorted(some)]
    if all(list(pool.in_order(ObjectFile.index_is_right, files, unit=""))):
        return tasks
    return [replace(task, file=replace(task.file, index="")) for task in tasks]
