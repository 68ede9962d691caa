"""The one door to LSDB: how it is imported, and how partitions of ours become a catalogue of its.

LSDB 0.11.1 makes catalogues from files and from frames in memory, and has no public way to make one
from a function that gives a partition when it is asked for. `lazy_catalog` does what its own
`open_catalog` does after it has read the properties, with names that may change in any release:
`lsdb.operations.lsdb_ops.FromHealpixMap`, `lsdb.io.schema.get_arrow_schema` and the constructor of
`lsdb.Catalog`. Nothing else of ours calls what LSDB does not document.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.hats_library import hats
from pz_tsm_core.sky.margin import INDEX_ORDER
from pz_tsm_core.sky.partition import SPATIAL_INDEX_COLUMN, check_inside, sorted_with_index
from pz_tsm_core.sphere import Tile

#: Gives the rows of a partition, in any order, each time that it is called the same.
Load = Callable[[Tile], pa.Table]


def import_lsdb() -> Any:
    """Import lsdb, which costs two seconds that only a match should pay.

    It uses the hats that was imported uncompiled, or numba would take seconds more.
    """
    assert hats  # noqa: S101 - imported first, and for its effect
    with warnings.catch_warnings():
        # lsdb 0.11.1 sets an option that pandas 4 will drop, which says nothing to our users.
        warnings.filterwarnings("ignore", message=".*mode.chained_assignment")
        import lsdb
    return lsdb


@dataclass(frozen=True)
class Columns:
    """What every partition of a catalogue holds.

    Parameters
    ----------
    catalog : its name, for people
    schema : its columns, without `_healpix_29`
    ra_column, dec_column : ICRS positions in degrees, which tell the partition of a row
    """

    catalog: str
    schema: pa.Schema
    ra_column: str
    dec_column: str


def lazy_catalog(
    name: str,
    tiles: Sequence[Tile],
    schema: pa.Schema,
    load: Load,
    *,
    ra_column: str,
    dec_column: str,
    rows: int | None = None,
    moc: Any = None,
) -> Any:
    """Offer partitions that are computed only when asked for as an `lsdb.Catalog`.

    It has no margin, as the results of LSDB's own matches have none. LSDB drops columns after a
    partition is there, also of what it opens itself: `schema` is the place to leave some out.

    Parameters
    ----------
    tiles : the partitions, disjoint, in any order; they may turn out to hold no rows
    schema : columns of every partition, without `_healpix_29`
    load : gives the rows of a tile, in any order; called on the threads and workers of Dask, once
        for every time that a partition is computed. Dask sends it along with every partition and
        names its results by what it says of itself: a small frozen dataclass, or a
        `functools.partial` of a function, with paths in place of tables.
    ra_column, dec_column : ICRS positions in degrees, by which rows belong to tiles
    rows : of all partitions, where they are known: what `len` gives. LSDB 0.11.1 then looks for
        a file of statistics in `random_sample`, and fails, as with its own `from_dataframe`.
    moc : the coverage, a `mocpy.MOC`, finer than the tiles; spares partitions in later matches

    Raises
    ------
    ValueError
        for tiles that overlap. And when a partition is computed:
    TsmError
        `table.column-type` for other columns than `schema`, `position.*` for rows without a
        position, `catalog.invalid` for rows outside the tile.
    """
    lsdb = import_lsdb()
    from lsdb.io.schema import get_arrow_schema
    from lsdb.operations.lsdb_ops import FromHealpixMap

    partitions = hats.catalog.PartitionInfo([hats.pixel_math.HealpixPixel(*tile) for tile in tiles])
    pixels = partitions.get_healpix_pixels()  # along the sky, the order in which LSDB computes
    columns = Columns(name, schema.remove_metadata(), ra_column, dec_column)
    meta = _frame(schema.empty_table(), columns)
    operation = FromHealpixMap(
        load_partition, pixels, load, columns, meta=meta,
        # By these the keys of the graph tell catalogues apart that differ in their tiles alone.
        map_kwargs={"tile": [Tile(pixel.order, pixel.pixel) for pixel in pixels]},
        verify_meta=False,  # `load_partition` has checked the columns, before they became a frame
    )
    properties = hats.catalog.TableProperties(
        catalog_name=name, catalog_type="object", total_rows=rows, ra_column=ra_column,
        dec_column=dec_column, healpix_column=SPATIAL_INDEX_COLUMN, healpix_order=INDEX_ORDER,
    )
    structure = hats.catalog.Catalog(properties, partitions, schema=get_arrow_schema(meta), moc=moc)
    return lsdb.Catalog(operation, structure)


def load_partition(_pixel: Any, load: Load, columns: Columns, *, tile: Tile) -> Any:
    """Compute a partition as LSDB would read it from a file; runs on a worker.

    Parameters
    ----------
    _pixel : the tile in the words of LSDB, which hands it over in any case
    """
    table = load(tile)
    _check_columns(table.schema, columns, tile)
    frame = _frame(table, columns)
    check_inside(columns.catalog, tile, frame.index.to_numpy())
    return frame


def _check_columns(found: pa.Schema, columns: Columns, tile: Tile) -> None:
    if (found.names, found.types) == (columns.schema.names, columns.schema.types):
        return
    differing = sorted({(f.name, str(f.type)) for f in found}
                       ^ {(f.name, str(f.type)) for f in columns.schema})
    raise refuse(Code.TABLE_COLUMN_TYPE, f"{columns.catalog}, pixel {tile}",
                 found=f"{', '.join(f'{name}: {kind}' for name, kind in differing[:5])} "
                       "in the partition or in the schema alone",
                 expected="the columns of the schema, in its order",
                 remedy="let `load` give what the schema says")


def _frame(table: pa.Table, columns: Columns) -> Any:
    """Rows as LSDB reads them: Arrow types throughout, by `_healpix_29`."""
    import pandas as pd
    from nested_pandas import from_pyarrow

    indexed = sorted_with_index(table, columns.catalog, columns.ra_column, columns.dec_column)
    frame = from_pyarrow(indexed.drop_columns(SPATIAL_INDEX_COLUMN))
    # Half the time of `set_index`, which takes the column out of the frame again.
    index = pd.arrays.ArrowExtensionArray(indexed[SPATIAL_INDEX_COLUMN])
    frame.index = pd.Index(index, name=SPATIAL_INDEX_COLUMN)
    return frame
