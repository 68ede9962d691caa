"""Every galaxy with its LSST object, partition by partition through LSDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import (
    CANDIDATES,
    GALAXY_SCHEMA,
    OBJECT_SUFFIX,
    SEPARATION,
    object_column,
)
from pz_tsm_core.ops.runs import run_starts
from pz_tsm_core.ops.uniqueness import choose_counterparts
from pz_tsm_core.sky.catalog import answering, open_catalog, require_margin
from pz_tsm_core.sky.cluster import dask_client, lost_workers
from pz_tsm_core.sky.margin import INDEX_ORDER, Tile
from pz_tsm_core.sky.wrap import import_lsdb
from pz_tsm_core.sphere import separation_arcsec
from pz_tsm_core.store import PARQUET
from pz_tsm_core.store.refusals import DISK_FULL

if TYPE_CHECKING:
    from upath import UPath

#: Stands, between workers and driver, for an id that is null.
NO_ID = np.iinfo(np.int64).min

#: Objects looked at around a galaxy: enough to count rivals and to settle equal separations.
MAX_CANDIDATES = 8


@dataclass(frozen=True)
class Matched:
    """What a match leaves: the account of its rows, their schema, and the rows in batches."""

    rows: Rows
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Counterparts:
    """The chosen pairs, sorted by row_id, and the number of candidates of each galaxy."""

    row_id: npt.NDArray[np.int64]
    object_id: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]


def crossmatch(
    galaxies: Path | UPath,
    catalog: Path,
    *,
    release: Release,
    columns: Sequence[str],
    policy: MatchPolicy,
    cluster: ClusterPolicy,
    scratch: Path,
) -> Matched:
    """Match galaxies (HATS) with LSST objects (HATS with margin) by position.

    The nearest objects within the radius, up to 8, are candidates, also across pixel borders; each
    galaxy keeps the nearest (`ops.uniqueness`). Memory holds the pairs, never the payload: that
    waits in `scratch`, one file a partition, written by the workers.

    Parameters
    ----------
    galaxies : HATS collection with columns `model.schema.GALAXY` and `ra`, `dec`
    columns : payload to attach from the object catalogue; id and position always come along
    scratch : an empty folder that all workers see

    Raises
    ------
    TsmError
        `catalog.*` for a catalogue that cannot serve, `match.empty` when nothing matches.
    """
    lsdb = import_lsdb()
    left = open_catalog(lsdb, galaxies, GALAXY_SCHEMA.names)
    wanted = list(dict.fromkeys((release.id, release.ra, release.dec, *columns)))
    right = open_catalog(lsdb, catalog, wanted)
    _require_integer_id(right, catalog, release)
    require_margin(right, catalog, policy.radius_arcsec)
    if release.primary_filter:
        right = right.query(f"{release.primary_filter} == True")
    with _read_errors(catalog), lost_workers(), answering(galaxies), dask_client(cluster):
        pairs = _candidates(left, right, release, policy, scratch)
    counterparts, rivals = _choose(pairs, catalog, release, policy)
    galaxies_in, given = len(left), len(counterparts.row_id)
    dropped = {"no_object": galaxies_in - given - rivals, "object_taken": rivals}
    rows = Rows(taken=galaxies_in, given=given, dropped=dropped)
    schema = _schema(right, wanted, release)
    return Matched(rows, schema, _payload(scratch, schema, release.id, counterparts))


def _choose(
    pairs: pd.DataFrame, catalog: Path, release: Release, policy: MatchPolicy
) -> tuple[Counterparts, int]:
    """The pairs that stay, and how many galaxies lost their object to a nearer one."""
    if not len(pairs):
        raise _no_match(catalog, policy)
    row_id, object_id = (pairs[name].to_numpy(np.int64) for name in ("row_id", release.id))
    if (object_id == NO_ID).any():
        raise refuse(Code.TABLE_COLUMN_TYPE, f"{catalog}: column {release.id}",
                     found="objects without an id", expected="an id for every object",
                     remedy="repair the object catalogue")
    separation = pairs[SEPARATION.name].to_numpy(np.float64)
    chosen = choose_counterparts(row_id, object_id, separation, unique=policy.unique)
    stays = row_id[chosen.index], object_id[chosen.index], chosen.candidates
    return Counterparts(*stays), chosen.taken


@contextmanager
def _read_errors(catalog: Path) -> Iterator[None]:
    """Tell what workers meet in the words of the catalogue of errors."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise  # while writing to scratch: the store tells it
        raise refuse(Code.CATALOG_INVALID, str(catalog), found=str(error).splitlines()[0],
                     expected="partitions that can be read", remedy="check or repair the copy",
                     ) from error


def _require_integer_id(right: Any, catalog: Path, release: Release) -> None:
    kind = right.hc_structure.schema.field(release.id).type
    if not pa.types.is_integer(kind) or pa.types.is_uint64(kind):
        raise refuse(Code.TABLE_COLUMN_TYPE, f"{catalog}: column {release.id}", found=str(kind),
                     expected="whole numbers that fit 64 bits with sign",
                     remedy="name another id column in the release profile")


def _candidates(
    left: Any, right: Any, release: Release, policy: MatchPolicy, scratch: Path
) -> pd.DataFrame:
    """All pairs within the radius: ids and separation; their payload goes to `scratch`."""
    try:
        crossed = left.crossmatch(
            right,
            n_neighbors=MAX_CANDIDATES,
            radius_arcsec=policy.radius_arcsec,
            suffixes=("", OBJECT_SUFFIX),
            suffix_method="overlapping_columns",
            require_right_margin=True,
            log_changes=False,
        )
    except RuntimeError as error:
        if "do not overlap" not in str(error):
            raise
        return _pair_frame(release)
    stashed = crossed.map_partitions(
        _stash, str(scratch), release.id, _position(release),
        include_pixel=True, meta=_pair_frame(release),
    )
    pairs: pd.DataFrame = stashed.compute(progress_bar=False)
    return pairs


def _position(release: Release) -> tuple[str, str]:
    """Names of the objects' coordinates after the match: suffixed where the galaxies have them."""
    return object_column(release.ra), object_column(release.dec)


def _pair_frame(release: Release) -> pd.DataFrame:
    """An empty table of pairs, which tells Dask what `_stash` returns."""
    return pd.DataFrame({"row_id": np.empty(0, np.int64), release.id: np.empty(0, np.int64),
                         SEPARATION.name: np.empty(0, np.float64)})


def _stash(
    frame: pd.DataFrame, pixel: Any, scratch: str, object_id: str, position: tuple[str, str]
) -> pd.DataFrame:
    """Put the payload of one partition aside and return its pairs; runs on a worker.

    A lost worker makes Dask call this twice: the file is renamed into place, so the second call
    only repeats the first.
    """
    ra, dec, object_ra, object_dec = (
        frame[name].to_numpy(np.float64) for name in ("ra", "dec", *position)
    )
    separation = separation_arcsec(ra, dec, object_ra, object_dec)
    payload = pa.Table.from_pandas(frame.drop(columns="_dist_arcsec"), preserve_index=False)
    payload = payload.append_column(SEPARATION.field, pa.array(separation))
    file = Path(scratch) / f"{pixel.order}-{pixel.pixel}.parquet"
    partial = file.with_suffix(f".{uuid4().hex}.partial")
    pq.write_table(payload, partial, **PARQUET)
    partial.rename(file)
    ids = {name: payload[name].cast(pa.int64()).fill_null(NO_ID).to_numpy()
           for name in ("row_id", object_id)}
    return pd.DataFrame({**ids, SEPARATION.name: separation})


def _schema(right: Any, wanted: Sequence[str], release: Release) -> pa.Schema:
    """Galaxy columns, then the objects' with units and UCDs, then what the match adds."""
    objects = []
    for name in wanted:
        kind = right.hc_structure.schema.field(name).type
        objects.append(pa.field(object_column(name), kind, metadata=release.describe(name)))
    return pa.schema([*GALAXY_SCHEMA, *objects, SEPARATION.field, CANDIDATES.field])


def _payload(
    scratch: Path, schema: pa.Schema, object_id: str, chosen: Counterparts
) -> Iterator[pa.RecordBatch]:
    """Rows of the chosen pairs, read back from scratch file by file in the order of the sky."""
    for file in sorted(scratch.glob("*.parquet"), key=_sky_order):
        table = pq.read_table(file, page_checksum_verification=True)
        ids = table["row_id"].to_numpy()
        place = np.minimum(np.searchsorted(chosen.row_id, ids), len(chosen.row_id) - 1)
        same_galaxy = chosen.row_id[place] == ids
        keep = same_galaxy & (chosen.object_id[place] == table[object_id].to_numpy())
        count = pa.array(chosen.candidates[place], CANDIDATES.field.type)
        kept = table.append_column(CANDIDATES.field, count).filter(pa.array(keep))
        # An id that stands on several objects near one galaxy gives its nearest row.
        kept = kept.sort_by([("row_id", "ascending"), (SEPARATION.name, "ascending")])
        kept = kept.take(pa.array(run_starts(kept["row_id"].to_numpy())))
        yield from kept.select(schema.names).cast(schema).to_batches()


def _sky_order(file: Path) -> int:
    """Place of a pixel along the nested HEALPix curve: its first cell at the finest order."""
    order, pixel = map(int, file.stem.split("-"))
    return Tile(order, pixel).range_at(INDEX_ORDER)[0]


def _no_match(catalog: Path, policy: MatchPolicy) -> Exception:
    return refuse(Code.MATCH_EMPTY, str(catalog),
                  found=f"no object within {policy.radius_arcsec:g} arcsec of any galaxy",
                  expected="redshifts and objects of one part of the sky",
                  remedy="compare the footprints; check the units and the frame of ra and dec")
