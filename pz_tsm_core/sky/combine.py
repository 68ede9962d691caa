"""Combine measurements of any number: along the sky, part by part, with bounded memory.

What belongs together is told of all measurements at once, from their positions alone: some tens of
bytes each. Whole measurements then stream by in the order of the sky. A part is settled when all
of its rows are there; rows of a galaxy that lies across a border wait for its last one. Neither the
parts nor where they are settled have a say in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.ops.combine import (
    Account,
    Association,
    associate,
    placed_columns,
    settle,
)
from pz_tsm_core.ops.crd import crd_ids, crd_table
from pz_tsm_core.ops.distinct import distinct_rows, refuse_different
from pz_tsm_core.ops.identify import distinct_ids
from pz_tsm_core.sky.cluster import Pool, pool_of
from pz_tsm_core.sky.route import Router, in_parts
from pz_tsm_core.store import TableDigest

Ints = npt.NDArray[np.int64]

#: Rows that are settled at a time.
PART_ROWS = 400_000

#: Gives some standard columns of a table of measurements, in batches, always in the same order.
Source = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


class Settled(NamedTuple):
    """The tables of a part of the sky."""

    measurements: pa.Table
    galaxies: pa.Table
    pairs: pa.Table
    crd: pa.Table | None = None  # with the preset `crc`

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables that there are, by name."""
        return {name: table for name, table in self._asdict().items() if table is not None}

    @property
    def surveys(self) -> dict[str, int]:
        """Galaxies by survey."""
        counted = self.galaxies["survey"].value_counts()
        return {each["values"].as_py(): each["counts"].as_py() for each in counted}

    def digests(self) -> dict[str, TableDigest]:
        """The digest of each table."""
        found = {name: TableDigest(table.schema) for name, table in self.tables.items()}
        for name, table in self.tables.items():
            found[name].update(table)
        return found


@dataclass(frozen=True)
class _Part:
    """What is to be settled.

    Parameters
    ----------
    table : measurements, also those that came twice
    first : for each the place in `table` of the first with its row_id
    found : what belongs together, by places among those that are first
    place : number of the source, and place in it, of those that are first, counted from 1
    """

    table: pa.Table
    first: Ints
    found: Association
    place: tuple[Ints, Ints]
    policy: CombinePolicy


class _Placed:
    """What is needed of all measurements at once.

    Parameters
    ----------
    sizes : how many each source has
    """

    def __init__(self, table: pa.Table, sizes: list[int]) -> None:
        self._table: pa.Table | None = table
        self.sizes = sizes

    @classmethod
    def of(cls, sources: Sequence[Source], policy: CombinePolicy) -> _Placed:
        """Read it, source by source."""
        names = placed_columns(policy)
        schema = pa.schema([MEASUREMENT_SCHEMA.field(name) for name in names])
        tables = [pa.Table.from_batches(source(names), schema) for source in sources]
        return cls(pa.concat_tables(tables).combine_chunks(), [len(table) for table in tables])

    def take(self) -> pa.Table:
        """The table, once: at many rows it is a good part of the memory."""
        table, self._table = self._table, None
        return table


class CombinedStream:
    """Measurements combined part by part; the account is whole when the parts are.

    Parameters
    ----------
    sources : tables of measurements; those of one row_id are equal
    cluster : where parts are settled

    Raises
    ------
    TsmError
        `id.collision` when two different measurements, or two galaxies, have one id.
    """

    def __init__(
        self, sources: Sequence[Source], policy: CombinePolicy, cluster: ClusterPolicy
    ) -> None:
        self._sources, self._policy, self._cluster = sources, policy, cluster
        self._account, self._repeated = Account(), 0

    def parts(self) -> Iterator[tuple[Settled, dict[str, TableDigest]]]:
        """Settle the parts of the sky in their order; with the digests of their tables."""
        galaxy_ids = [np.empty(0, dtype=np.int64)]
        placed = _Placed.of(self._sources, self._policy)
        with pool_of(self._cluster_for(placed)) as pool:
            parts, unsettled = self._unsettled(pool, placed)
            for settled, digests, account in pool.in_order(
                    _settle, unsettled, unit="parts of the sky", total=parts):
                self._account.add(account)
                galaxy_ids.append(np.unique(settled.measurements["galaxy_id"].to_numpy()))
                yield settled, digests
        distinct_ids(np.concatenate(galaxy_ids), "galaxy_id")

    def rows(self) -> Rows:
        """Measurements in, galaxies out, the others by reason."""
        return self._account.rows(self._policy, self._repeated)

    @property
    def counts(self) -> dict[str, int]:
        """What else is to be told: pairs, groups, conflicts."""
        return dict(self._account.counts)

    def _cluster_for(self, placed: _Placed) -> ClusterPolicy:
        """Of one part no cluster is worth its start."""
        if sum(placed.sizes) > PART_ROWS:
            return self._cluster
        return ClusterPolicy(kind="threads", workers=self._cluster.workers)

    def _unsettled(self, pool: Pool, of_all: _Placed) -> tuple[int, Iterator[_Part]]:
        """How many parts are to be settled, and these."""
        placed, sizes = of_all.take(), of_all.sizes
        first = distinct_rows(*(placed[name].to_numpy() for name in ("row_id", "ra", "dec")))
        kept = np.flatnonzero(first == np.arange(len(first)))
        self._repeated = len(first) - len(kept)
        if self._repeated:
            placed = placed.take(pa.array(kept))
        found = associate(placed, self._policy,
                          mapper=partial(pool.in_order, unit="bands of the sky"))
        del placed
        self._account.counts["pairs not listed"] += found.links.unlisted
        of = np.searchsorted(kept, first)  # the place of each row among those that are kept
        part, parts = in_parts(found.home, PART_ROWS)
        streams = self._routers(part[of], sizes, parts)
        rows_of, kept_of = _by_part(part[of], parts), _by_part(part, parts)
        pairs_of = _by_part(part[found.links.first], parts)

        def cut(number: int) -> _Part:
            rows, mine = rows_of(number), kept_of(number)
            table = pa.concat_tables([stream.take(number) for stream in streams])
            return _Part(table, np.searchsorted(rows, first[rows]),
                         found.part(mine, pairs_of(number)), _place(kept[mine], sizes),
                         self._policy)

        return parts, map(cut, range(parts))

    def _routers(self, part: Ints, sizes: list[int], parts: int) -> list[Router]:
        """A router for every source."""
        ends = np.cumsum(sizes)
        return [Router(source(MEASUREMENT_SCHEMA.names), MEASUREMENT_SCHEMA,
                       part[end - size:end], parts)
                for source, size, end in zip(self._sources, sizes, ends, strict=True)]


def _place(rows: Ints, sizes: Sequence[int]) -> tuple[Ints, Ints]:
    """Number of the source, and place in it, of rows counted over all sources; from 1."""
    ends = np.cumsum(sizes, dtype=np.int64)
    source = np.searchsorted(ends, rows, side="right").astype(np.int64)
    starts: Ints = ends - np.asarray(sizes, dtype=np.int64)
    return source + 1, rows - starts[source] + 1


def _by_part(part: Ints, parts: int) -> Callable[[int], Ints]:
    """Gives the places that are of a part, in their order."""
    # Of small numbers a stable sort is many times faster.
    order = np.argsort(part.astype(np.min_scalar_type(parts)), kind="stable")
    ends = np.searchsorted(part[order], np.arange(parts + 1))
    return lambda number: order[ends[number]:ends[number + 1]]


def _settle(part: _Part) -> tuple[Settled, dict[str, TableDigest], Account]:
    """Settle a part; may run in another process."""
    refuse_different(part.table, part.first)
    kept = np.flatnonzero(part.first == np.arange(len(part.first)))
    table = part.table if len(kept) == len(part.first) else part.table.take(pa.array(kept))
    account = Account()
    table = table.combine_chunks()
    settled = Settled(*settle(table, part.found, part.policy, account))
    if part.policy.preset == "crc":
        settled = settled._replace(crd=crd_table(
            table, part.found.group, part.found.links, crd_ids(*part.place), part.policy))
    return settled, settled.digests(), account
