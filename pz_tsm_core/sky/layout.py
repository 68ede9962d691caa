"""Lay a stream of rows out on the sky: HATS from a table of any size, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.progress import counted
from pz_tsm_core.sky.margin import INDEX_ORDER, Int64s
from pz_tsm_core.sky.ordered import in_order
from pz_tsm_core.sky.partition import Collection, Partition, plan_partitions, write_partition
from pz_tsm_core.sky.route import Router
from pz_tsm_core.sky.write import finish_collection, refuse_existing
from pz_tsm_core.sphere import Tile, spatial_index
from pz_tsm_core.store import TableDigest

#: Gives some columns of a table, or all for None, in batches, always in the same order.
Source = Callable[[Sequence[str] | None], Iterator[pa.RecordBatch]]


def lay_out(
    source: Source, collection: Collection, *, rows_per_partition: int, workers: int
) -> Iterator[TableDigest]:
    """Write a collection, and yield the digest of each partition; it is whole at the end.

    The source is read twice: for the positions, which tell the partitions, and for the rows. A
    source that follows the sky leaves few partitions open at a time.

    Parameters
    ----------
    rows_per_partition : exceeded only where a pixel of the highest order holds more
    workers : threads that write

    Raises
    ------
    TsmError
        as `sky.write.write_table_as_collection`
    """
    refuse_existing(collection.path)
    index = _index(source, collection)
    if not len(index):
        raise refuse(Code.TABLE_EMPTY, collection.name, found="no rows",
                     expected="at least one row",
                     remedy="check what the stage before has dropped, and why")
    tiles = plan_partitions(np.sort(index), rows_per_partition, collection.highest_order)
    tiles.sort(key=lambda tile: tile.range_at(INDEX_ORDER))
    router = Router(source(None), collection.schema, _tile_of(index, tiles), len(tiles))
    written: list[Partition] = []

    def write(piece: tuple[Tile, pa.Table]) -> tuple[Partition, TableDigest]:
        tile, table = piece
        digest = TableDigest(collection.schema)
        digest.update(table)
        return write_partition(collection, tile, table), digest

    pieces = ((tile, router.take(place)) for place, tile in enumerate(tiles))
    with ThreadPoolExecutor(workers) as pool:
        done = in_order(pool, write, pieces, ahead=workers)
        for partition, digest in counted(done, "partitions", len(tiles)):
            written.append(partition)
            yield digest
    finish_collection(collection, written)


def _index(source: Source, collection: Collection) -> Int64s:
    """`_healpix_29` of every row, in the order of the source."""
    columns = (collection.ra_column, collection.dec_column)
    parts = [spatial_index(*(batch[name].to_numpy() for name in columns))
             for batch in source(columns)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _tile_of(index: Int64s, tiles: Sequence[Tile]) -> Int64s:
    """Place among tiles in the order of the sky, which hold every row."""
    starts = np.array([tile.range_at(INDEX_ORDER)[0] for tile in tiles])
    return np.searchsorted(starts, index, side="right") - 1
