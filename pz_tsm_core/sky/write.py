"""Write HATS: the one place where the library lays out a sky catalogue on disk.

A collection is a catalogue in HEALPix partitions and its margin; LSDB opens both together. A table
in memory goes through `write_table_as_collection`, anything larger through `sky.layout`, or through
`write_partition` for each partition, on any thread, and `finish_collection` at the end.
Why this is not left to hats-import or LSDB: docs/adr/005.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.hats_library import hats
from pz_tsm_core.sky.margin import INDEX_ORDER, Int64s, Tiling, margin_rows
from pz_tsm_core.sky.partition import (
    SKYMAP_ORDER,
    SPATIAL_INDEX_COLUMN,
    Collection,
    Partition,
    partition_file,
    plan_partitions,
    sorted_with_index,
    write_parquet,
    write_partition,
)
from pz_tsm_core.sphere import Tile

__all__ = ["Collection", "Partition", "Tile", "finish_collection", "plan_partitions",
           "refuse_existing", "write_partition", "write_table_as_collection"]

ROWS_PER_PARTITION = 300_000


def write_table_as_collection(
    table: pa.Table,
    path: Path,
    name: str,
    *,
    ra_column: str = "ra",
    dec_column: str = "dec",
    margin_arcsec: float | None = 5.0,
    margin: str | None = None,
    rows_per_partition: int = ROWS_PER_PARTITION,
) -> Path:
    """Write a table as a HATS collection whose partitions hold at most so many rows.

    Equal tables give equal data files; rows at one position keep the order of the table.

    Parameters
    ----------
    margin : name of the margin; `<name>_<width>arcs` if None
    rows_per_partition : exceeded only where a pixel of the highest order (10, or one above the
        cells of the margin) holds more

    Returns
    -------
    Path
        The collection, to be opened with `lsdb.open_catalog`.

    Raises
    ------
    TsmError
        table.empty, table.missing-column, position.missing, position.out-of-range, output.exists
    """
    collection = Collection(path, name, table.schema, ra_column, dec_column, margin_arcsec, margin)
    if not table.num_rows:
        raise refuse(Code.TABLE_EMPTY, name, found="no rows", expected="at least one row",
                     remedy="check what the stage before has dropped, and why")
    indexed = sorted_with_index(table, name, ra_column, dec_column)
    index = indexed[SPATIAL_INDEX_COLUMN].to_numpy()
    tiles = plan_partitions(index, rows_per_partition, collection.highest_order)
    refuse_existing(collection.path)
    return finish_collection(collection, [write_partition(collection, tile, rows)
                                          for tile, rows in _cut(indexed, index, tiles)])


def finish_collection(collection: Collection, partitions: Iterable[Partition]) -> Path:
    """Write what belongs to the catalogue as a whole: its margin, maps and properties."""
    written = sorted(partitions, key=lambda partition: partition.tile)
    if not written:
        raise refuse(Code.TABLE_EMPTY, collection.name, found="no partitions",
                     expected="at least one partition", remedy="check the input of the catalogue")
    _check_disjoint(collection, [partition.tile for partition in written])
    tiles = {partition.tile: partition.rows for partition in written}
    _write_skymaps(collection, written)
    _write_metadata(collection, collection.catalog_path, collection.name, tiles)
    if collection.margin_arcsec is not None:
        margin = _write_margin(collection, written)
        _write_metadata(collection, collection.path / collection.margin_name,
                        collection.margin_name, margin)
    _write_collection_properties(collection)
    return collection.path


def refuse_existing(path: Path) -> None:
    """Raise output.exists unless the directory is absent or empty."""
    if path.exists() and any(path.iterdir()):
        raise refuse(Code.OUTPUT_EXISTS, str(path), found="a directory with contents",
                     expected="a new or empty directory",
                     remedy="name another directory or remove this one")


def _cut(table: pa.Table, index: Int64s, tiles: list[Tile]) -> Iterator[tuple[Tile, pa.Table]]:
    for tile in tiles:
        first, last = np.searchsorted(index, tile.range_at(INDEX_ORDER))
        yield tile, table.slice(first, last - first)


def _check_disjoint(collection: Collection, tiles: list[Tile]) -> None:
    ranges = sorted(tile.range_at(INDEX_ORDER) for tile in tiles)
    for (_, end), (start, _) in pairwise(ranges):
        if start < end:
            raise refuse(Code.CATALOG_INVALID, collection.name, found="pixels that overlap",
                         expected="every part of the sky in one partition",
                         remedy="write each pixel once, and none inside another")


def _write_margin(collection: Collection, written: list[Partition]) -> dict[Tile, int]:
    """Write the margin of every partition and of the free sky around; rows by tile."""
    border = pa.concat_tables([partition.border for partition in written])
    index = border[SPATIAL_INDEX_COLUMN].to_numpy()
    assert collection.cell_order is not None  # noqa: S101 - the caller asks for a margin
    tiling = Tiling([partition.tile for partition in written], collection.cell_order)
    rows = margin_rows(index, tiling)
    for tile, taken in rows.items():
        write_parquet(collection.path / collection.margin_name, tile, border.take(pa.array(taken)))
    return {tile: len(taken) for tile, taken in rows.items()}


def _write_skymaps(collection: Collection, written: list[Partition]) -> None:
    counts = np.zeros(12 * 4**SKYMAP_ORDER, dtype=np.int64)
    for partition in written:
        counts[partition.sky_cells] += partition.sky_counts
    hats.io.skymap.write_skymap(counts, collection.catalog_path)
    # The same map once more: LSDB takes the coverage of a catalogue from this older name.
    point_map = hats.io.paths.get_point_map_file_pointer(collection.catalog_path)
    hats.io.file_io.write_fits_image(counts, point_map)


def _write_metadata(
    collection: Collection, catalog: Path, name: str, tiles: dict[Tile, int]
) -> None:
    """Write what a reader needs before any partition: schema, footers, pixels, properties."""
    dataset = catalog / hats.io.paths.DATASET_DIR
    dataset.mkdir(parents=True, exist_ok=True)
    schema = collection.stored_schema.remove_metadata()
    pq.write_metadata(schema, dataset / hats.io.paths.PARQUET_COMMON_METADATA_FILENAME)
    pq.write_metadata(schema, dataset / hats.io.paths.PARQUET_METADATA_FILENAME,
                      metadata_collector=[_footer(catalog, tile) for tile in tiles])
    pixels = [hats.pixel_math.HealpixPixel(*tile) for tile in tiles]
    hats.catalog.PartitionInfo(pixels).write_to_file(catalog_path=catalog)
    _table_properties(collection, catalog, name, tiles).to_properties_file(catalog)


def _footer(catalog: Path, tile: Tile) -> pq.FileMetaData:
    file = partition_file(catalog, tile)
    footer = pq.read_metadata(file)
    footer.set_file_path(file.relative_to(catalog / hats.io.paths.DATASET_DIR).as_posix())
    return footer


def _table_properties(
    collection: Collection, catalog: Path, name: str, tiles: dict[Tile, int]
) -> Any:
    if name == collection.name:
        of_type: dict[str, Any] = {"catalog_type": "object", "skymap_order": SKYMAP_ORDER}
    else:
        of_type = {"catalog_type": "margin", "primary_catalog": collection.name,
                   "margin_threshold": collection.margin_arcsec}
    return hats.catalog.TableProperties(
        catalog_name=name,
        total_rows=sum(tiles.values()),
        ra_column=collection.ra_column,
        dec_column=collection.dec_column,
        healpix_column=SPATIAL_INDEX_COLUMN,
        healpix_order=INDEX_ORDER,
        npix_suffix=".parquet",
        hats_order=max((tile.order for tile in tiles), default=0),
        hats_max_rows=max(tiles.values(), default=0),
        moc_sky_fraction=round(sum(4.0**-tile.order for tile in tiles) / 12, 5),
        **of_type,
        **_provenance(catalog),
    )


def _provenance(path: Path) -> dict[str, object]:
    made: dict[str, object] = hats.catalog.TableProperties.new_provenance_dict(
        path, builder="pz-tsm"
    )
    return made


def _write_collection_properties(collection: Collection) -> None:
    margin = {}
    if collection.margin_arcsec is not None:
        margin = {"all_margins": [collection.margin_name], "default_margin": collection.margin_name}
    hats.catalog.dataset.collection_properties.CollectionProperties(
        name=collection.name,
        hats_primary_table_url=collection.name,
        **margin,
        **_provenance(collection.path),
    ).to_properties_file(collection.path)
