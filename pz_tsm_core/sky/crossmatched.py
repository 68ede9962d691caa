"""Two catalogues matched, as one of LSDB: pairs at once, columns when they are asked for.

The pairs are those of the whole sky, so no margin is needed, and no pair is lost at a border of
partitions, however either catalogue is divided. The partitions of the match are the left ones.
"""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from mocpy import MOC

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.sky.catalog import answering
from pz_tsm_core.sky.cluster import pool_of
from pz_tsm_core.sky.margin import Floats, cells_of
from pz_tsm_core.sky.matched_columns import Asked, Naming, catalog_name, joined_columns
from pz_tsm_core.sky.matched_rows import LEFT, Found, MatchedRows
from pz_tsm_core.sky.nearest import NO_OBJECT, joined
from pz_tsm_core.sky.neighbors import require_ids
from pz_tsm_core.sky.objects import ObjectFile, Objects, Place, open_objects
from pz_tsm_core.sky.pairs import find_pairs
from pz_tsm_core.sky.partition import HIGHEST_ORDER, positions
from pz_tsm_core.sky.payload import Chosen
from pz_tsm_core.sky.search import Criteria
from pz_tsm_core.sky.wrap import lazy_catalog
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.sphere import spatial_index

#: Of a table, in a partition: few enough for searches to spare most of them.
ROWS_PER_PARTITION = 50_000


class Rows(NamedTuple):
    """A table in memory that is to be matched.

    Parameters
    ----------
    ra_column, dec_column : ICRS positions in degrees
    """

    table: pa.Table
    ra_column: str
    dec_column: str


def crossmatch_catalogs(
    left: Place | Rows,
    right: Place,
    *,
    policy: MatchPolicy,
    columns: tuple[Asked, Asked] = (None, None),
    naming: Naming | None = None,
    name: str | None = None,
    id_column: str = "",
    scratch: Path | None = None,
    cluster: ClusterPolicy | None = None,
) -> Any:
    """Match two catalogues, or a table and a catalogue, as an `lsdb.Catalog`.

    At once it reads the positions of the left side and finds all pairs; memory holds both. What
    is known of each pair, 64 bytes, is kept in a temporary folder as long as the catalogue, or
    what was made of it, is in use; a table is laid out as a catalogue in the same folder.

    Parameters
    ----------
    policy : radii, number of neighbours, and how to join
    columns : of the left and of the right side; positions come in any case
    name : of the match; the names of both sides with `_x_` between them if None
    id_column : of the right side, whole numbers, by which equal separations are settled; else the
        place on the sky settles them
    scratch : where the temporary folder is made; workers on other machines must see it
    cluster : where pairs are looked for

    Raises
    ------
    TsmError
        `catalog.*`, `table.*` and `position.*` for what cannot be matched, `match.empty` where
        nothing matches and nothing is to be left, `output.write` for a scratch folder that
        cannot be written to.
    """
    with ExitStack() as kept:
        folder = _temporary(scratch)
        kept.callback(rmtree, folder, ignore_errors=True)
        mine, theirs = _opened(left, folder), open_objects(right)
        joined_up = joined_columns(mine, theirs, columns, naming or Naming())
        if id_column:
            require_ids(theirs, id_column)
        found, coverage = _find(mine, theirs, policy, id_column, cluster or ClusterPolicy())
        load = MatchedRows(folder, mine.place, theirs.place, joined_up)
        catalog = lazy_catalog(
            name or f"{catalog_name(mine)}_x_{catalog_name(theirs)}", list(found.keep(folder)),
            joined_up.joined, load, ra_column=joined_up.of_left(mine.ra),
            dec_column=joined_up.of_left(mine.dec), rows=len(found.matched), moc=coverage)
        # What is made of the catalogue holds on to what loads its partitions, not to itself.
        weakref.finalize(load, kept.pop_all().close)
        return catalog


def _temporary(scratch: Path | None) -> Path:
    try:
        return Path(mkdtemp(prefix="pz-tsm-match-", dir=scratch))
    except OSError as error:
        raise refuse(Code.OUTPUT_WRITE, f"scratch {scratch or ''}".strip(),
                     found=error.strerror or str(error), expected="a folder to write to",
                     remedy="make it, or name another as `scratch`") from None


def _opened(left: Place | Rows, folder: Path) -> Objects:
    if not isinstance(left, Rows):
        return open_objects(left)
    return open_objects(str(write_table_as_collection(
        left.table, folder / LEFT, LEFT, ra_column=left.ra_column, dec_column=left.dec_column,
        margin_arcsec=None, rows_per_partition=ROWS_PER_PARTITION)))


def _find(
    left: Objects, right: Objects, policy: MatchPolicy, id_column: str, cluster: ClusterPolicy
) -> tuple[Found, MOC]:
    """The rows of the match, and the part of the sky where they lie."""
    criteria = Criteria(policy.radius_arcsec, policy.min_radius_arcsec, policy.n_neighbors,
                        id=id_column)
    files = [file for tile in left.tiles for file in left.files(tile)]
    with answering(str(right.place)), pool_of(cluster, left.rows or 0) as pool:
        placed = list(pool.in_order(_positions, files))
        ra, dec = (np.concatenate([np.empty(0), *(each[axis] for each in placed)])
                   for axis in (0, 1))
        pairs = find_pairs(ra, dec, right, criteria, pool)
    rows, pair = joined(pairs.position, len(ra), policy.how)
    if not len(rows):
        raise refuse(Code.MATCH_EMPTY, str(right.place),
                     found=f"nothing within {policy.radius_arcsec:g} arcsec of {left.place}",
                     expected="catalogues of one part of the sky",
                     remedy="compare the footprints; check the units and the frame of ra and dec")
    first = np.cumsum([0, *(len(each[0]) for each in placed)])
    file = np.searchsorted(first, rows, side="right") - 1
    matched = pair != NO_OBJECT
    found = Found(Chosen(files, file, rows - first[file], left.schema, {}),
                  pairs.chosen(pair[matched], id_column), matched,
                  pairs.neighbors.separation[pair[matched]])
    return found, _coverage(ra[rows], dec[rows], left)


def _positions(file: ObjectFile) -> tuple[Floats, Floats]:
    """Where the rows of a file lie; runs on a worker."""
    with file.opened() as opened:
        table = opened.parquet.read(columns=[file.ra, file.dec], use_threads=False)
    ra, dec = positions(table, file.where, file.ra, file.dec)
    return ra.astype(np.float64), dec.astype(np.float64)


def _coverage(ra: Floats, dec: Floats, left: Objects) -> MOC:
    """Cells around positions, no coarser than the partitions."""
    order = max(HIGHEST_ORDER, *(tile.order for tile in left.tiles))
    cells = np.unique(cells_of(spatial_index(ra, dec), order)).astype(np.uint64)
    return MOC.from_healpix_cells(cells, np.full(len(cells), order, np.uint8), max_depth=order)
