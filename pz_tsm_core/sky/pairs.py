"""All objects near all positions: planned by pixels, searched file by file, ranked at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sky.cluster import Pool
from pz_tsm_core.sky.cover import cover_discs
from pz_tsm_core.sky.margin import INDEX_ORDER, Floats, Int64s
from pz_tsm_core.sky.objects import ObjectFile, Objects
from pz_tsm_core.sky.ordered import in_order
from pz_tsm_core.sky.payload import Chosen
from pz_tsm_core.sky.search import Criteria, Neighbors, Places, Task, nearest, search


@dataclass(frozen=True)
class Pairs:
    """Positions with the objects near them, sorted by position and rank; arrays of one length.

    Parameters
    ----------
    position : number of the position
    objects : the catalogue
    file : number of the object's file in `files`
    neighbors : row, id, position and separation of the object
    rank : 0 for the nearest
    candidates : how many objects are near that position, also those that were not kept
    """

    objects: Objects
    files: tuple[ObjectFile, ...]
    position: Places
    file: Places
    neighbors: Neighbors
    rank: Int64s
    candidates: Int64s

    def __len__(self) -> int:
        return len(self.position)

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
    ra, dec : ICRS positions in degrees, shape (n,)

    Raises
    ------
    TsmError
        as `search`; `catalog.missing-column` for criteria that name a column it lacks.
    """
    objects.require([*filter(None, (criteria.id, criteria.primary))])
    tasks = list(_tasks(ra, dec, objects, criteria))
    found = list(in_order(pool.executor, search, tasks, ahead=2 * pool.width))
    together = Neighbors.together(found)
    file = np.repeat(np.arange(len(found)), [len(each.disc) for each in found])
    # What the sort moves takes its place along, by which its file is found again.
    placed = replace(together, row=np.arange(len(file)))
    ranked = nearest(placed, criteria.n_neighbors)
    starts = run_starts(ranked.disc)
    lengths = run_lengths(starts, len(ranked.disc))
    return Pairs(
        objects=objects,
        files=tuple(task.file for task in tasks),
        position=ranked.disc,
        file=file[ranked.row],
        neighbors=replace(ranked, row=together.row[ranked.row]),
        rank=np.arange(len(ranked.disc)) - np.repeat(starts, lengths),
        candidates=np.repeat(ranked.n_near[starts], lengths),
    )


def _tasks(ra: Floats, dec: Floats, objects: Objects, criteria: Criteria) -> Iterator[Task]:
    """A task for each file whose partition a disc may touch, in the order of the sky."""
    cover = cover_discs(ra, dec, criteria.radius_arcsec)
    for tile in objects.tiles:
        part = cover.within(*tile.range_at(INDEX_ORDER))
        if not len(part.cells):
            continue
        disc = np.unique(part.disc)
        for file in objects.files(tile):
            yield Task(file, part, disc, ra[disc], dec[disc], criteria)
