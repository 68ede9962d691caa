"""Objects within a radius of positions, in one file of a catalogue: the range join.

The rows of a file follow `_healpix_29`, so the objects in a cell are one range of rows, which two
binary searches find: no tree is built, and of the objects that are nowhere near only those eight
bytes are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sky.cover import Cover
from pz_tsm_core.sky.margin import INDEX_ORDER, Floats, Int64s
from pz_tsm_core.sky.objects import ObjectFile, OpenedFile
from pz_tsm_core.sphere import separation_arcsec
from pz_tsm_core.store.faults import point

Places = npt.NDArray[np.intp]

#: Candidates that are looked at together, in some hundred megabytes.
BLOCK = 2_000_000


class Criteria(NamedTuple):
    """What makes an object a neighbour of a position.

    Parameters
    ----------
    radius_arcsec : at most so far
    min_radius_arcsec : farther than that, if it is more than 0
    n_neighbors : so many, the nearest, are kept of each position
    id : column by which equal separations are settled; empty for the place on the sky
    primary : boolean column that an object must have; empty for none
    """

    radius_arcsec: float
    min_radius_arcsec: float = 0.0
    n_neighbors: int = 1
    id: str = ""
    primary: str = ""


@dataclass(frozen=True)
class Neighbors:
    """Positions and objects that are neighbours; arrays of one length.

    Parameters
    ----------
    disc : which position
    row : of the object in its file
    id : of the object; its `_healpix_29` where no column of ids was asked for
    ra, dec : of the object, degrees
    separation : arcsec
    n_near : of the first of each position: how many neighbours it has; else 0
    """

    disc: Places
    row: Int64s
    id: Int64s
    ra: Floats
    dec: Floats
    separation: Floats
    n_near: Int64s

    def at(self, place: Places) -> Neighbors:
        """Those at certain places."""
        return Neighbors(**{name: values[place] for name, values in vars(self).items()})

    @classmethod
    def together(cls, parts: Sequence[Neighbors]) -> Neighbors:
        """All of several, one after the other."""
        return cls(**{name: np.concatenate([getattr(each, name) for each in (NOBODY, *parts)])
                      for name in vars(NOBODY)})


NOBODY = Neighbors(
    disc=np.empty(0, np.intp), row=np.empty(0, np.int64), id=np.empty(0, np.int64),
    ra=np.empty(0), dec=np.empty(0), separation=np.empty(0), n_near=np.empty(0, np.int64),
)


@dataclass(frozen=True)
class Task:
    """A file, and the positions that may have neighbours in it.

    Parameters
    ----------
    cover : cells that overlap the file's partition, with the numbers of all positions
    disc : numbers of the positions concerned, ascending, shape (n,)
    ra, dec : of these, degrees, shape (n,)
    """

    file: ObjectFile
    cover: Cover
    disc: Places
    ra: Floats
    dec: Floats
    criteria: Criteria


def search(task: Task) -> Neighbors:
    """Find the neighbours of positions among the objects of one file.

    Returns
    -------
    The nearest `n_neighbors` of each position in this file, sorted by position and separation.

    Raises
    ------
    TsmError
        `catalog.invalid` for files that are damaged, and for objects outside their partition;
        `table.column-type` for objects without an id.
    """
    point("match.search")
    with task.file.opened() as opened:
        try:
            return _search(task, opened, _as_stored(task.file, opened))
        except _StaleIndexError:
            return _search(task, opened, _by_position(opened))


def nearest(neighbors: Neighbors, n: int) -> Neighbors:
    """The nearest n of each position: by separation, then id, then as they come.

    The nearest one counts for all of its position, also for those that are left out.
    """
    order = np.lexsort((neighbors.id, neighbors.separation, neighbors.disc))
    ordered = neighbors.at(order)
    starts = run_starts(ordered.disc)
    if not len(starts):
        return ordered
    counts = np.zeros(len(order), dtype=np.int64)
    counts[starts] = np.add.reduceat(ordered.n_near, starts)
    rank = np.arange(len(order)) - np.repeat(starts, run_lengths(starts, len(order)))
    return replace(ordered, n_near=counts).at(np.flatnonzero(rank < n))


class _StaleIndexError(Exception):
    """Objects of a cell are not where the cell is."""


@dataclass(frozen=True)
class _Rows:
    """Rows of a file along the sky; `number` is None where they are stored in this order."""

    index: Int64s
    number: Int64s | None

    def numbered(self, place: Int64s) -> Int64s:
        """Numbers in the file."""
        return place if self.number is None else self.number[place]


def _as_stored(file: ObjectFile, opened: OpenedFile) -> _Rows:
    """Rows by the index that stands in the file, unless it does not ascend."""
    if not file.index:
        return _by_position(opened)
    index = opened.index()
    if index is None or not (index[1:] >= index[:-1]).all():
        return _by_position(opened)
    _require_inside(file, index)
    return _Rows(index, None)


def _by_position(opened: OpenedFile) -> _Rows:
    """Rows by an index made of their positions; those without one are left out."""
    index = opened.index_of_positions()
    order = np.argsort(index, kind="stable")
    order = order[np.searchsorted(index[order], 0):]
    if opened.file.exact:
        _require_inside(opened.file, index[order])
    return _Rows(index[order], order)


def _require_inside(file: ObjectFile, index: Int64s) -> None:
    """Refuse objects that nobody would look for in this file."""
    first, beyond = file.tile.range_at(INDEX_ORDER)
    if len(index) and not first <= index[0] <= index[-1] < beyond:
        raise refuse(Code.CATALOG_INVALID, file.where, found="objects outside of the partition",
                     expected=f"objects in pixel {file.tile.pixel} of order {file.tile.order}",
                     remedy="check the copy, or make the catalogue again with hats-import")


def _search(task: Task, opened: OpenedFile, rows: _Rows) -> Neighbors:
    found = [nearest(_near(task, opened, rows, *block), task.criteria.n_neighbors)
             for block in _candidates(task.cover, rows.index)]
    together = Neighbors.together(found)
    return together if len(found) < 2 else nearest(together, task.criteria.n_neighbors)


def _candidates(cover: Cover, index: Int64s) -> Iterator[tuple[Places, Int64s]]:
    """Positions and places of objects that share a cell, in blocks."""
    begin = cover.cells << cover.shift
    first = np.searchsorted(index, begin)
    counts = np.searchsorted(index, begin + (np.int64(1) << cover.shift)) - first
    filled = np.flatnonzero(counts)
    total = np.cumsum(counts[filled])
    ends = np.arange(BLOCK, total[-1] if len(total) else 0, BLOCK)
    for block in np.split(filled, np.searchsorted(total, ends)):
        if len(block):
            many = counts[block]
            before = np.cumsum(many) - many
            place = np.arange(many.sum()) + np.repeat(first[block] - before, many)
            yield np.repeat(cover.disc[block], many), place


def _near(
    task: Task, opened: OpenedFile, rows: _Rows, disc: Places, place: Int64s
) -> Neighbors:
    """Those candidates that are neighbours."""
    file, criteria = task.file, task.criteria
    number = rows.numbered(place)
    wanted = dict.fromkeys([file.ra, file.dec, *filter(None, (criteria.id, criteria.primary))])
    table, local = opened.around(number, list(wanted))
    ra, dec = (table[name].to_numpy().astype(np.float64, copy=False)[local]
               for name in (file.ra, file.dec))
    own = np.searchsorted(task.disc, disc)
    separation = separation_arcsec(task.ra[own], task.dec[own], ra, dec)
    if rows.number is None and (separation > task.cover.farthest_arcsec).any():
        raise _StaleIndexError
    near = separation <= criteria.radius_arcsec
    if criteria.min_radius_arcsec > 0:
        near &= separation > criteria.min_radius_arcsec
    if criteria.primary:
        near &= _is_true(table, criteria.primary)[local]
    kept = np.flatnonzero(near)
    ids = (_ids(table, criteria.id, file)[local[kept]] if criteria.id
           else rows.index[place[kept]])
    return Neighbors(disc[kept], number[kept], ids, ra[kept], dec[kept], separation[kept],
                     np.ones(len(kept), dtype=np.int64))


def _is_true(table: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    values = table[name].combine_chunks().cast(pa.bool_()).fill_null(False)  # noqa: FBT003
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _ids(table: pa.Table, name: str, file: ObjectFile) -> Int64s:
    if table[name].null_count:
        raise refuse(Code.TABLE_COLUMN_TYPE, f"{file.where}: column {name}",
                     found="objects without an id", expected="an id for every object",
                     remedy="repair the object catalogue")
    return np.asarray(table[name].to_numpy().astype(np.int64, copy=False))
