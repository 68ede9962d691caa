"""One partition of a HATS collection: where it lies, what stands in its file, what it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, Problems, refuse
from pz_tsm_core.hats_library import hats
from pz_tsm_core.sky.margin import Int64s, cell_order, cells_of, on_border
from pz_tsm_core.sphere import INDEX_ORDER, Tile, spatial_index
from pz_tsm_core.store import PARQUET

SPATIAL_INDEX_COLUMN = hats.pixel_math.spatial_index.SPATIAL_INDEX_COLUMN  # `_healpix_29`
_INDEX = pa.field(SPATIAL_INDEX_COLUMN, pa.int64(), nullable=False)

SKYMAP_ORDER = 8  # 14 arcmin, what LSDB writes
HIGHEST_ORDER = 10


@dataclass(frozen=True)
class Collection:
    """What is written and where.

    Parameters
    ----------
    path : directory of the collection, absent or empty before
    name : name of the catalogue and of its directory
    schema : columns of the partitions, without `_healpix_29`
    ra_column, dec_column : ICRS positions in degrees
    margin_arcsec : width of the margin; None for a catalogue that is never the right side
    margin : name of the margin and of its directory; after name and width if None
    """

    path: Path
    name: str
    schema: pa.Schema
    ra_column: str
    dec_column: str
    margin_arcsec: float | None = 5.0
    margin: str | None = None

    def __post_init__(self) -> None:
        if self.margin_arcsec is not None and not 0 < self.margin_arcsec <= 3600:
            raise refuse(Code.VALUE_RANGE, "margin_arcsec", found=f"{self.margin_arcsec:g}",
                         expected="more than 0 and at most 3600 arcsec, or none at all",
                         remedy="give the largest match radius that will be asked")

    @property
    def stored_schema(self) -> pa.Schema:
        """Columns as they stand in the files: the spatial index first."""
        rest = [field for field in self.schema if field.name != SPATIAL_INDEX_COLUMN]
        return pa.schema([_INDEX, *rest])

    @property
    def catalog_path(self) -> Path:
        """Directory of the catalogue."""
        return self.path / self.name

    @property
    def margin_name(self) -> str:
        """Name of the margin catalogue and of its directory."""
        return self.margin or f"{self.name}_{self.margin_arcsec:g}arcs"

    @property
    def cell_order(self) -> int | None:
        """Order of the cells that the margin is made of."""
        return None if self.margin_arcsec is None else cell_order(self.margin_arcsec)

    @property
    def highest_order(self) -> int:
        """Finest partitions that the margin allows."""
        return HIGHEST_ORDER if self.cell_order is None else min(HIGHEST_ORDER, self.cell_order - 1)


@dataclass(frozen=True)
class Partition:
    """What is left to know of a partition once it is on disk."""

    tile: Tile
    rows: int
    sky_cells: Int64s  # of order SKYMAP_ORDER
    sky_counts: Int64s
    border: pa.Table  # rows that may be in the margin of another partition


def write_partition(collection: Collection, tile: Tile, table: pa.Table) -> Partition:
    """Write one partition; safe to call from several threads or processes at once."""
    if tile.order > collection.highest_order:
        raise refuse(Code.CATALOG_MARGIN, f"{collection.name}, pixel {tile}",
                     found=f"order {tile.order} with a margin of {collection.margin_arcsec} arcsec",
                     expected=f"order {collection.highest_order} at most",
                     remedy="take larger partitions or a narrower margin")
    indexed = sorted_with_index(table.select(collection.schema.names), collection.name,
                                collection.ra_column, collection.dec_column)
    index = indexed[SPATIAL_INDEX_COLUMN].to_numpy()
    if not len(index):
        raise refuse(Code.CATALOG_INVALID, f"{collection.name}, pixel {tile}", found="no rows",
                     expected="at least one row", remedy="leave pixels without rows out")
    check_inside(collection.name, tile, index)
    write_parquet(collection.catalog_path, tile, indexed)
    return _describe(collection, tile, indexed, index)


def plan_partitions(index: Int64s, rows_per_partition: int, highest_order: int) -> list[Tile]:
    """Tiles of at most so many rows, as few as splitting by four allows, none empty.

    Parameters
    ----------
    index : `_healpix_29`, ascending
    """
    planned: list[Tile] = []
    waiting = [Tile(0, pixel) for pixel in range(12)]
    while waiting:
        tile = waiting.pop()
        first, last = np.searchsorted(index, tile.range_at(INDEX_ORDER))
        if first == last:
            continue
        if last - first <= rows_per_partition or tile.order == highest_order:
            planned.append(tile)
        else:
            waiting += [Tile(tile.order + 1, 4 * tile.pixel + child) for child in range(4)]
    return sorted(planned)


def sorted_with_index(table: pa.Table, name: str, ra_column: str, dec_column: str) -> pa.Table:
    """Put the spatial index in front, computed anew, and sort by it.

    Parameters
    ----------
    name : of the catalogue, for people

    Raises
    ------
    TsmError
        `table.missing-column`, `position.*` for rows without a position on the sphere.
    """
    index = spatial_index(*positions(table, name, ra_column, dec_column))
    if not (index[1:] >= index[:-1]).all():
        order = np.argsort(index, kind="stable")
        table, index = table.take(pa.array(order)), index[order]
    if SPATIAL_INDEX_COLUMN in table.column_names:
        table = table.drop_columns([SPATIAL_INDEX_COLUMN])
    indexed = table.add_column(0, _INDEX, pa.array(index))
    return indexed.replace_schema_metadata(None).combine_chunks()


def positions(
    table: pa.Table, where: str, ra_column: str, dec_column: str
) -> tuple[npt.NDArray[np.float64], ...]:
    """Ra and dec as arrays, once it is certain that every row has a position on the sphere.

    Parameters
    ----------
    where : the table, for people

    Raises
    ------
    TsmError
        `table.missing-column`, `position.*`.
    """
    problems = Problems()
    columns = []
    for name, low, high in ((ra_column, 0, 360), (dec_column, -90, 90)):
        if name not in table.column_names:
            problems.add(Code.TABLE_MISSING_COLUMN, where, found=f"no column `{name}`",
                         expected=f"`{name}` in degrees", remedy="name the position columns")
            continue
        values = table[name].to_numpy()
        missing, outside = np.isnan(values).sum(), ((values < low) | (values > high)).sum()
        if missing:
            problems.add(Code.POSITION_MISSING, f"{where}, column {name}",
                         found=f"{missing} rows without a value", expected="a value in every row",
                         remedy="drop rows without a position before")
        if outside:
            problems.add(Code.POSITION_RANGE, f"{where}, column {name}",
                         found=f"{outside} rows outside", expected=f"{low} to {high} degrees",
                         remedy="check unit and frame of the positions")
        columns.append(values)
    problems.raise_if_any()
    return tuple(columns)


def check_inside(name: str, tile: Tile, index: Int64s) -> None:
    """Refuse rows of other pixels, which searches would not find.

    Parameters
    ----------
    name : of the catalogue, for people
    index : `_healpix_29`, ascending
    """
    low, high = tile.range_at(INDEX_ORDER)
    outside = int(len(index) - np.diff(np.searchsorted(index, [low, high]))[0])
    if outside:
        raise refuse(Code.CATALOG_INVALID, f"{name}, pixel {tile}",
                     found=f"{outside} rows outside the pixel", expected="rows inside the pixel",
                     remedy="partition by the same ra and dec columns that are written")


def _describe(collection: Collection, tile: Tile, table: pa.Table, index: Int64s) -> Partition:
    cells, counts = np.unique(cells_of(index, SKYMAP_ORDER), return_counts=True)
    border = table.slice(0, 0)
    if collection.cell_order is not None:
        near = np.flatnonzero(on_border(index, tile, collection.cell_order))
        border = table.take(pa.array(near))
    return Partition(tile, len(index), cells, counts, border)


def write_parquet(catalog: Path, tile: Tile, table: pa.Table) -> None:
    """Write a partition where HATS looks for it, in the encodings of HATS."""
    target = partition_file(catalog, tile)
    target.parent.mkdir(parents=True, exist_ok=True)
    encodings = hats.io.file_io.get_parquet_write_table_kwargs
    pq.write_table(table, target, **encodings(table.schema, write_table_kwargs=PARQUET))


def partition_file(catalog: Path, tile: Tile) -> Path:
    """Where HATS looks for a partition."""
    return Path(hats.io.paths.pixel_catalog_file(catalog, hats.pixel_math.HealpixPixel(*tile)).path)
