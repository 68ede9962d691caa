"""A HATS catalogue of objects as the match reads it: which files there are, and rows of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeAlias

import cdshealpix
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, Problems, nearest, refuse
from pz_tsm_core.hats_folder import HatsFolder, open_hats_folder, sound
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach
from pz_tsm_core.remote.folders import Folder, LocalFolder, open_folder
from pz_tsm_core.sky.cover import SLACK_ARCSEC
from pz_tsm_core.sky.margin import INDEX_ORDER, Int64s
from pz_tsm_core.sphere import Tile, separation_arcsec, spatial_index

if TYPE_CHECKING:
    from pathlib import Path

    from upath import UPath

#: Where a catalogue lies: a path, an address, or a `UPath` that brings its own way.
Place: TypeAlias = "str | Path | UPath"

#: A catalogue is read in many small requests, by runs that have limits of their own.
LIMITS = FetchLimits(per_host=8, per_second=200.0, total_seconds=30 * 86_400.0)


#: Stands for the cell of an object without a position: before all others.
NOWHERE = np.int64(-1)

#: Rows by which it is seen whether `_healpix_29` is that of the positions.
SAMPLE = 64


@dataclass(frozen=True)
class ObjectFile:
    """One file of a catalogue: all that a worker must know to read rows of it.

    Parameters
    ----------
    place : of the catalogue or collection
    name : of the file, below it
    tile : the partition
    part : number of the file in it; mostly there is one, 0
    ra, dec : columns of its positions
    index : column of `_healpix_29`; empty where there is none that can be used
    exact : whether its positions are those by which the partition was chosen
    """

    place: Place
    name: str
    tile: Tile
    part: int
    ra: str
    dec: str
    index: str
    exact: bool

    @property
    def where(self) -> str:
        """The file, for people."""
        return f"{self.place}/{self.name}"

    @contextmanager
    def opened(self) -> Iterator[OpenedFile]:
        """Open it; damage met meanwhile is told as `catalog.invalid`."""
        with sound(self.where, Code.CATALOG_INVALID), pq.ParquetFile(
            _folder(self.place).file(self.name), pre_buffer=True, page_checksum_verification=True,
        ) as parquet:
            yield OpenedFile(self, parquet)


    def index_is_right(self) -> bool:
        """Whether some rows of its first group lie where the spatial index says."""
        if not self.index:
            return True  # nothing is said
        with self.opened() as opened:
            rows = np.linspace(0, opened.first_group - 1, SAMPLE).astype(np.int64)
            if not opened.first_group:
                return True
            table = opened.take(rows, (self.index, self.ra, self.dec))
        table = table.drop_null()
        ra, dec, index = (table[name].to_numpy() for name in (self.ra, self.dec, self.index))
        lon, lat = cdshealpix.healpix_to_lonlat(index, INDEX_ORDER)
        away = separation_arcsec(lon.deg, lat.deg, ra, dec)
        return not (away > SLACK_ARCSEC).any()  # of no position nothing is known


@dataclass(frozen=True)
class OpenedFile:
    """A file whose rows can be read; they are known by their number in it."""

    file: ObjectFile
    parquet: pq.ParquetFile

    def index(self) -> Int64s | None:
        """`_healpix_29` of every row, as it is stored; None if some have none."""
        column = self._whole(self.file.index)
        return None if column.null_count else column.to_numpy()

    def index_of_positions(self) -> Int64s:
        """The same from the positions, in the order of the rows; `NOWHERE` without a position."""
        ra, dec = (self._whole(name).to_numpy().astype(np.float64)
                   for name in (self.file.ra, self.file.dec))
        somewhere = np.isfinite(ra) & (np.abs(dec) <= 90)
        index = np.full(len(ra), NOWHERE)
        index[somewhere] = spatial_index(ra[somewhere], dec[somewhere])
        return index

    def around(self, rows: Int64s, columns: Sequence[str]) -> tuple[pa.Table, Int64s]:
        """The groups of rows that hold any of these rows, and where in them each row stands.

        Parameters
        ----------
        rows : numbers in the file, shape (n,)
        """
        if len(rows) and rows.max() >= self.parquet.metadata.num_rows:
            raise pa.ArrowIndexError("fewer rows than there were")
        group = np.searchsorted(self._ends, rows, side="right")
        needed = np.flatnonzero(np.bincount(group, minlength=len(self._ends)))
        table = self.parquet.read_row_groups(needed.tolist(), columns=list(columns),
                                             use_threads=False)
        skipped = np.diff(self._ends, prepend=0)
        skipped[needed] = 0
        return table.select(list(columns)), rows - np.cumsum(skipped)[group]

    def take(self, rows: Int64s, columns: Sequence[str]) -> pa.Table:
        """Rows in the order asked for."""
        table, place = self.around(rows, columns)
        return table.combine_chunks().take(pa.array(place))

    @property
    def first_group(self) -> int:
        """Rows of its first group of rows."""
        return int(self._ends[0]) if len(self._ends) else 0

    def _whole(self, column: str) -> pa.ChunkedArray:
        return self.parquet.read(columns=[column], use_threads=False)[column]

    @cached_property
    def _ends(self) -> Int64s:
        """One past the last row of each group of rows."""
        metadata = self.parquet.metadata
        lengths = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        return np.cumsum(np.array(lengths, dtype=np.int64))


@dataclass(frozen=True)
class Objects:
    """A catalogue, opened: its columns and its partitions.

    Parameters
    ----------
    place : as it was given
    catalog : its layout and its files
    schema : all columns as they are stored
    """

    place: Place
    catalog: HatsFolder
    schema: pa.Schema

    @property
    def ra(self) -> str:
        """Column of right ascension."""
        return self.catalog.layout.properties.ra_column

    @property
    def dec(self) -> str:
        """Column of declination."""
        return self.catalog.layout.properties.dec_column

    @property
    def rows(self) -> int | None:
        """As its properties say; None where they do not."""
        return self.catalog.layout.properties.total_rows

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Partitions in the order of the sky."""
        return self.catalog.layout.pixels

    @cached_property
    def index(self) -> str:
        """Column that tells where a row lies, if it can be taken at its word.

        Positions in single precision are rounded by up to 0.1 arcsec since it was made of them.
        """
        told = self.catalog.layout.properties
        name = told.healpix_column or ""
        fits = name in self.schema.names and told.healpix_order in (None, INDEX_ORDER)
        return name if self.exact and fits and self.schema.field(name).type == pa.int64() else ""

    @property
    def exact(self) -> bool:
        """Whether positions are those by which the partition of an object was chosen."""
        return all(self.schema.field(name).type == pa.float64() for name in (self.ra, self.dec))

    def files(self, tile: Tile) -> Iterator[ObjectFile]:
        """The files of a partition, mostly one."""
        for part, name in enumerate(self.catalog.files([tile])):
            yield ObjectFile(self.place, name, tile, part, self.ra, self.dec, self.index,
                             self.exact)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows, file by file in the order of the sky."""
        for tile in self.tiles:
            for file in self.files(tile):
                with file.opened() as opened:
                    yield opened.parquet.read(columns=list(columns)).select(list(columns))

    def require(self, columns: Sequence[str]) -> None:
        """Refuse names that it lacks.

        Raises
        ------
        TsmError
            `catalog.missing-column` for each.
        """
        problems = Problems()
        for name in columns:
            if name not in self.schema.names:
                problems.add(Code.CATALOG_COLUMN, f"{self.place}: column {name}",
                             found="no such column", expected="a column of the catalogue",
                             remedy=nearest(name, self.schema.names))
        problems.raise_if_any()


def open_objects(place: Place) -> Objects:
    """Open a HATS catalogue, or the primary one of a collection: here, on HTTP, or on S3.

    Parameters
    ----------
    place : path, address (https:// or s3://) or `UPath`

    Raises
    ------
    TsmError
        `catalog.invalid` for what is no catalogue; `service.*` or `remote.*`.
    """
    catalog = open_hats_folder(_open_folder(place))
    objects = Objects(place, catalog, catalog.schema().remove_metadata())
    said = catalog.layout.properties
    lacking = [name for name in (said.ra_column, said.dec_column)
               if name not in objects.schema.names]
    if lacking:
        raise refuse(Code.CATALOG_INVALID, str(place), found=f"no column {', '.join(lacking)}",
                     expected="the positions that its properties name",
                     remedy="check the copy, or make it again with hats-import")
    return objects


def _open_folder(place: Place) -> Folder:
    return open_folder(Reach(LIMITS), place) if isinstance(place, str) else LocalFolder(place)


#: One a process: it keeps its connections.
_folder = lru_cache(maxsize=16)(_open_folder)
