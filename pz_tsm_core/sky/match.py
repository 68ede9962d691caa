"""Every galaxy with its LSST object: the second half of a match, which brings the payload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import GALAXY_SCHEMA, MATCH, object_column
from pz_tsm_core.ops.uniqueness import choose_counterparts
from pz_tsm_core.sky.catalog import answering
from pz_tsm_core.sky.cluster import pool_of
from pz_tsm_core.sky.nearest import NO_OBJECT, How, joined, with_nulls
from pz_tsm_core.sky.neighbors import Galaxies, find_neighbors, require_release
from pz_tsm_core.sky.objects import ObjectFile, Objects, Place
from pz_tsm_core.sky.payload import Chosen, Payload
from pz_tsm_core.sphere import Tile, order_along, spatial_index


@dataclass(frozen=True)
class Matched:
    """What a match leaves: its columns, its rows in batches, and the account of them.

    Parameters
    ----------
    schema : galaxy columns, then the objects' with units and UCDs, then what the match adds
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: Rows


def crossmatch(
    galaxies: Galaxies,
    objects: Objects,
    neighbors: pa.Table,
    *,
    release: Release,
    columns: Sequence[str],
    policy: MatchPolicy,
    cluster: ClusterPolicy,
    n_galaxies: int,
) -> Matched:
    """Give every galaxy its object, and the object's columns, galaxies in their order.

    Memory holds the neighbours and, of the payload, what the galaxies at hand need.

    Parameters
    ----------
    galaxies : with columns `model.schema.GALAXY`
    neighbors : as `find_neighbors` leaves them
    columns : payload to attach from the object catalogue; id and position always come along
    n_galaxies : how many galaxies there are

    Raises
    ------
    TsmError
        `catalog.*` for a catalogue that cannot serve.
    """
    require_release(objects, release)
    wanted = list(dict.fromkeys((release.id, release.ra, release.dec, *columns)))
    objects.require(wanted)
    keeps = _keeps(neighbors, policy)
    schema = _schema(objects, wanted, release)
    joiner = _Joiner(neighbors, keeps, schema, how=policy.how, place=objects.place, id=release.id)
    chosen = _chosen(neighbors.filter(pa.array(keeps)), objects, release)

    def batches() -> Iterator[pa.RecordBatch]:
        with answering(str(objects.place)), pool_of(cluster, n_galaxies) as pool:
            payload = Payload(chosen, wanted, pool.in_order)
            for table in galaxies(GALAXY_SCHEMA.names):
                yield from joiner.join(table, payload).to_batches()
        joiner.require_end()

    return Matched(schema, batches(), _account(neighbors, keeps, policy, n_galaxies))


def match_galaxies(
    galaxies: pa.Table,
    objects: Objects,
    *,
    release: Release,
    columns: Sequence[str],
    policy: MatchPolicy,
    cluster: ClusterPolicy,
) -> pa.Table:
    """Match a table in memory: `find_neighbors` and `crossmatch` in one; in the sky's order."""
    index = spatial_index(galaxies["ra"], galaxies["dec"])
    order = order_along(index, galaxies["row_id"].to_numpy())
    along = galaxies.take(pa.array(order)).combine_chunks()

    def source(names: Sequence[str]) -> Iterator[pa.Table]:
        yield along.select(list(names))

    found = find_neighbors(source, objects, release=release, policy=policy, cluster=cluster)
    matched = crossmatch(source, objects, found.table, release=release, columns=columns,
                         policy=policy, cluster=cluster, n_galaxies=len(along))
    return pa.Table.from_batches(matched.batches, matched.schema)


def _keeps(neighbors: pa.Table, policy: MatchPolicy) -> npt.NDArray[np.bool_]:
    """Which neighbours stay: all or, of those of one object, the nearest galaxy's."""
    if not policy.unique:
        return np.ones(len(neighbors), dtype=bool)
    keeps = np.zeros(len(neighbors), dtype=bool)
    keeps[choose_counterparts(*(neighbors[name].to_numpy() for name in
                                ("row_id", "object_id", "separation")))] = True
    return keeps


def _account(
    neighbors: pa.Table, keeps: npt.NDArray[np.bool_], policy: MatchPolicy, n_galaxies: int
) -> Rows:
    """Galaxies in, rows out: no galaxy is lost without a reason."""
    kept = int(keeps.sum())
    with_object = len(np.unique(neighbors["row_id"].to_numpy()[keeps]))
    near = len(np.unique(neighbors["row_id"].to_numpy()))
    dropped = {"no_object": n_galaxies - near, "object_taken": near - with_object}
    if policy.how == "left":
        return Rows(taken=n_galaxies, added=kept - with_object,
                    given=n_galaxies + kept - with_object)
    return Rows(taken=n_galaxies, added=kept - with_object, given=kept, dropped=dropped)


def _chosen(kept: pa.Table, objects: Objects, release: Release) -> Chosen:
    """Where the objects stand, with what the neighbours tell of them already."""
    places = np.column_stack([kept[name].to_numpy() for name in ("norder", "npix", "part")])
    distinct, file = np.unique(places, axis=0, return_inverse=True)
    files = [_file(objects, *map(int, place)) for place in distinct]
    named = {release.ra: "object_ra", release.dec: "object_dec"}  # the id is read, and compared
    known = {name: kept[ours].combine_chunks().cast(objects.schema.field(name).type)
             for name, ours in named.items()}
    return Chosen(files, file.ravel(), kept["row"].to_numpy(), objects.schema, known)


def _file(objects: Objects, norder: int, npix: int, part: int) -> ObjectFile:
    file = next(islice(objects.files(Tile(norder, npix)), part, None), None)
    if file is None:
        raise _changed(objects.place)
    return file


def _changed(place: Place) -> TsmError:
    """The error for a catalogue that became another one since its objects were found."""
    return refuse(Code.CATALOG_INVALID, str(place),
                  found="other objects in the rows where some were found",
                  expected="a catalogue that stays as it is",
                  remedy="run again when nobody changes it")


@dataclass
class _Joiner:
    """Puts galaxies and objects side by side; neighbours are in the order of their galaxies.

    Parameters
    ----------
    keeps : which of the neighbours stay
    schema : of the rows that are made
    place, id : of the catalogue, and its column of ids
    begin : the first neighbour of the galaxies that come next
    """

    neighbors: pa.Table
    keeps: npt.NDArray[np.bool_]
    schema: pa.Schema
    how: How
    place: Place
    id: str
    begin: int = 0

    @cached_property
    def most(self) -> int:
        """Neighbours that a galaxy has at most."""
        return int(pc.max(self.neighbors["match_rank"]).as_py() or 1)

    def join(self, galaxies: pa.Table, payload: Payload) -> pa.Table:
        """The next galaxies with their objects."""
        mine = self.neighbors.slice(self.begin, self.most * len(galaxies))
        place = pc.index_in(mine["row_id"], value_set=galaxies["row_id"].combine_chunks())
        # Those of the galaxies at hand come first; the next one's has no place among them.
        others = np.flatnonzero(place.is_null().to_numpy())
        number = int(others[0]) if len(others) else len(place)
        mine, place = mine.slice(0, number), place.slice(0, number).to_numpy().astype(np.intp)
        keeps = self.keeps[self.begin:self.begin + number]
        self.begin += number
        near = np.zeros(len(galaxies), dtype=np.int64)
        near[place] = mine["n_candidates"].to_numpy()
        rows, pair = joined(place[keeps], len(galaxies), self.how)
        found = pair != NO_OBJECT
        kept, read = mine.filter(pa.array(keeps)), payload.take(int(found.sum()))
        if not read[self.id].cast(pa.int64()).equals(kept["object_id"]):
            raise _changed(self.place)
        theirs = with_nulls(read, found)
        match = with_nulls(kept.select(["separation", "match_rank"]), found)
        columns = [*galaxies.take(pa.array(rows)).columns, *theirs.columns, *match.columns,
                   pa.array(near[rows])]
        return pa.table([column.cast(field.type) for column, field
                         in zip(columns, self.schema, strict=True)], schema=self.schema)

    def require_end(self) -> None:
        """Refuse neighbours of other galaxies than came."""
        if self.begin != len(self.neighbors):
            raise ValueError("neighbours of other galaxies, or in another order")


def _schema(objects: Objects, wanted: Sequence[str], release: Release) -> pa.Schema:
    theirs = [pa.field(object_column(name), objects.schema.field(name).type,
                       metadata=release.describe(name)) for name in wanted]
    return pa.schema([*GALAXY_SCHEMA, *theirs, *(column.field for column in MATCH)])
