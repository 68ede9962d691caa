"""Columns of chosen objects, in whatever order they are wanted, each file read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.sky.margin import Int64s
from pz_tsm_core.sky.objects import ObjectFile

Places = npt.NDArray[np.intp]

#: Reads rows of files, in their order: `Pool.in_order`, or `map` in this thread.
Read: TypeAlias = "Callable[[Callable[[_Rows], pa.Table], list[_Rows]], Iterator[pa.Table]]"


class Chosen(NamedTuple):
    """Objects by where they stand; arrays of one length, in the order that they are wanted in.

    Parameters
    ----------
    file : number of the file in `files`
    row : number of the row in it
    schema : of the catalogue
    known : columns that need not be read again
    """

    files: Sequence[ObjectFile]
    file: Places
    row: Int64s
    schema: pa.Schema
    known: Mapping[str, pa.Array]


class Payload:
    """Columns of chosen objects, handed out from the first to the last of them.

    Each file is read once, when the first of its objects is wanted; what is wanted later is kept
    until then. Objects that follow the sky, as files do, keep few files in memory.
    """

    def __init__(self, chosen: Chosen, columns: Sequence[str], read: Read) -> None:
        self.schema = pa.schema([chosen.schema.field(name) for name in columns])
        self._known = chosen.known
        missing = tuple(name for name in columns if name not in chosen.known)
        wanted = _by_file(chosen, missing) if missing else []
        self._coming = read(_read, wanted)
        self._places = [rows.place for rows in wanted]
        self._opened, self._given = 0, 0
        self._held: list[tuple[Places, pa.Table]] = []

    def take(self, number: int) -> pa.Table:
        """The next so many objects."""
        if not number:
            return self.schema.empty_table()
        begin, end = self._given, self._given + number
        while self._opened < len(self._places) and self._places[self._opened][0] < end:
            self._held.append((self._places[self._opened], next(self._coming)))
            self._opened += 1
        columns = {name: values.slice(begin, number) for name, values in self._known.items()}
        if self._places:
            read = _gather(self._held, begin, end)
            columns |= dict(zip(read.column_names, read.columns, strict=True))
        self._held = [(place, table) for place, table in self._held if place[-1] >= end]
        self._given = end
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)


class _Rows(NamedTuple):
    """Rows of one file, and the places where they are wanted, ascending."""

    file: ObjectFile
    row: Int64s
    place: Places
    columns: tuple[str, ...]


def _by_file(chosen: Chosen, columns: tuple[str, ...]) -> list[_Rows]:
    """What is wanted of each file, the file of the first object first."""
    order = np.argsort(chosen.file, kind="stable")
    starts = np.flatnonzero(np.diff(chosen.file[order], prepend=-1))
    wanted = [_Rows(chosen.files[chosen.file[place[0]]], chosen.row[place], place, columns)
              for place in np.split(order, starts[1:]) if len(place)]
    return sorted(wanted, key=lambda rows: rows.place[0])


def _read(rows: _Rows) -> pa.Table:
    """Rows of a file, in the order of their places; runs on a worker."""
    with rows.file.opened() as opened:
        return opened.take(rows.row, rows.columns)


def _gather(held: Sequence[tuple[Places, pa.Table]], begin: int, end: int) -> pa.Table:
    """The rows of the places from `begin` to before `end`, in their order."""
    places, parts = [], []
    for place, table in held:
        low, high = np.searchsorted(place, (begin, end))
        places.append(place[low:high])
        parts.append(table.slice(low, high - low))
    place, table = np.concatenate(places), pa.concat_tables(parts)
    if (np.diff(place) > 0).all():
        return table
    return table.combine_chunks().take(pa.array(np.argsort(place)))
