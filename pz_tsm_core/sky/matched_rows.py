"""The rows of a match between its two halves: found, and waiting for their columns.

What is known of the rows of a partition stands in a file: where both halves of each row lie, and
what the search has read of them. So a task of Dask carries two addresses and a path, however many
rows there are, and reads what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import feather

from pz_tsm_core.sky.margin import Floats
from pz_tsm_core.sky.matched_columns import DISTANCE, MatchColumns
from pz_tsm_core.sky.nearest import with_nulls
from pz_tsm_core.sky.objects import ObjectFile, Place
from pz_tsm_core.sky.payload import Chosen, Payload
from pz_tsm_core.sphere import Tile

LEFT, RIGHT = "left", "right"


class Found(NamedTuple):
    """Rows of a match, those of each partition together.

    Parameters
    ----------
    left : where each row lies, shape (n,)
    right : where its object lies, if it has one, shape (m,)
    matched : which rows have one, shape (n,), m of them
    separation : arcsec, shape (m,)
    """

    left: Chosen
    right: Chosen
    matched: npt.NDArray[np.bool_]
    separation: Floats

    def keep(self, folder: Path) -> Iterator[Tile]:
        """Write a file for each partition that has rows, and tell which these are."""
        table = self._table()
        first_of = _numbers_by_tile(self.left.files)
        bounds = np.searchsorted(self.left.file, [*(n for _, n in first_of), len(self.left.files)])
        for (tile, _), begin, end in zip(first_of, bounds, bounds[1:], strict=False):
            if begin < end:
                self._write(_file(folder, tile), table.slice(begin, end - begin))
                yield tile

    def _table(self) -> pa.Table:
        known = pa.StructArray.from_arrays(list(self.right.known.values()),
                                           list(self.right.known))
        theirs = with_nulls(pa.table({**_places(RIGHT, self.right), "known": known,
                                      DISTANCE.name: self.separation}), self.matched)
        columns = dict(zip(theirs.column_names, theirs.columns, strict=True))
        return pa.table({**_places(LEFT, self.left), **columns})

    def _write(self, file: Path, rows: pa.Table) -> None:
        files = {side: json.dumps(dict(_used(chosen.files, rows[f"{side}_file"])))
                 for side, chosen in ((LEFT, self.left), (RIGHT, self.right))}
        feather.write_feather(rows.replace_schema_metadata(files), file,
                              compression="uncompressed")


@dataclass(frozen=True)
class MatchedRows:
    """Gives the rows of a match by partition; Dask sends it to its workers.

    Parameters
    ----------
    folder : that `Found.keep` has written to
    left, right : places of the catalogues
    columns : theirs, and those of the match
    """

    folder: Path
    left: Place
    right: Place
    columns: MatchColumns

    def __call__(self, tile: Tile) -> pa.Table:
        """Read the rows of a partition from both catalogues."""
        # Not mapped: on a shared disk the folder may leave while frames still hold on to it.
        rows = feather.read_table(_file(self.folder, tile), memory_map=False)
        matched = rows[f"{RIGHT}_row"].is_valid()
        mine = _read(self.left, self.columns.left, LEFT, rows)
        theirs = _read(self.right, self.columns.right, RIGHT, rows.filter(matched))
        columns = [*mine.columns, *with_nulls(theirs, matched.to_numpy()).columns,
                   rows[DISTANCE.name]]
        return pa.table(columns, schema=self.columns.joined)


def _read(place: Place, schema: pa.Schema, side: str, rows: pa.Table) -> pa.Table:
    """Columns of one of the catalogues, in the order of the rows."""
    files = {int(number): ObjectFile(place, **{**told, "tile": Tile(*told["tile"])})
             for number, told in json.loads(rows.schema.metadata[side.encode()]).items()}
    file = np.searchsorted(np.array(list(files)), rows[f"{side}_file"].to_numpy())
    known = {}
    if side == RIGHT:
        struct = rows["known"].combine_chunks()
        known = {field.name: struct.field(field.name) for field in struct.type}
    chosen = Chosen(list(files.values()), file, rows[f"{side}_row"].to_numpy(), schema, known)
    return Payload(chosen, schema.names, map).take(len(rows))


def _places(side: str, chosen: Chosen) -> dict[str, Any]:
    return {f"{side}_file": chosen.file, f"{side}_row": chosen.row}


def _used(files: Sequence[ObjectFile], numbers: pa.ChunkedArray) -> Iterator[tuple[int, Any]]:
    """What is to know of the files with these numbers, ascending."""
    for number in np.unique(numbers.drop_null().to_numpy()).tolist():
        told = vars(files[number])
        yield number, {name: value for name, value in told.items() if name != "place"}


def _numbers_by_tile(files: Sequence[ObjectFile]) -> list[tuple[Tile, int]]:
    """Each tile with the number of its first file."""
    first: dict[Tile, int] = {}
    for number, file in enumerate(files):
        first.setdefault(file.tile, number)
    return list(first.items())


def _file(folder: Path, tile: Tile) -> Path:
    return folder / f"{tile.order}-{tile.pixel}.arrow"
