"""The objects nearest to the rows of a table, with columns of theirs: a match in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky.cluster import pool_of
from pz_tsm_core.sky.margin import Floats
from pz_tsm_core.sky.objects import Objects
from pz_tsm_core.sky.pairs import find_pairs
from pz_tsm_core.sky.payload import Payload
from pz_tsm_core.sky.search import Criteria
from pz_tsm_core.sphere import spatial_index

#: Matches that are handed over together.
ROWS = 131_072

#: Stands for the object of a row that has none.
NO_OBJECT = -1

Places = npt.NDArray[np.intp]
How: TypeAlias = Literal["inner", "left"]


def match_tables(
    left: pa.Table,
    objects: Objects,
    *,
    ra: str,
    dec: str,
    columns: Sequence[str],
    radius_arcsec: float,
    min_radius_arcsec: float = 0.0,
    n_neighbors: int = 1,
    how: How = "inner",
    id_column: str = "",
    cluster: ClusterPolicy | None = None,
) -> Iterator[tuple[pa.Table, pa.Table, Floats]]:
    """Yield rows of a table with the objects nearest to each, in the order of the sky.

    Parameters
    ----------
    left : with columns `ra` and `dec` in degrees
    columns : of the objects
    how : with "left", rows without an object come too, once, with nulls
    id_column : by which equal separations are settled; else by the place on the sky

    Yields
    ------
    Rows of `left`, `columns` of their objects, and separations in arcsec (NaN where there is no
    object); aligned, the nearest object of a row first.

    Raises
    ------
    TsmError
        `catalog.missing-column`, and as `sky.search.search`.
    """
    objects.require(columns)
    ra_left, dec_left = (left[name].to_numpy().astype(np.float64) for name in (ra, dec))
    along = np.argsort(spatial_index(ra_left, dec_left), kind="stable")
    criteria = Criteria(radius_arcsec, min_radius_arcsec, n_neighbors, id=id_column)
    with pool_of(cluster or ClusterPolicy(), len(along)) as pool:
        pairs = find_pairs(ra_left[along], dec_left[along], objects, criteria, pool)
        payload = Payload(pairs.chosen(np.arange(len(pairs)), id_column), columns,
                          pool.in_order)
        rows, pair = joined(pairs.position, len(along), how)
        separation = np.append(pairs.neighbors.separation, np.nan)
        for begin in range(0, len(rows), ROWS):
            part = slice(begin, begin + ROWS)
            found = pair[part] != NO_OBJECT
            theirs = with_nulls(payload.take(int(found.sum())), found)
            yield left.take(pa.array(along[rows[part]])), theirs, separation[pair[part]]


def joined(position: Places, n: int, how: How) -> tuple[Places, Places]:
    """Rows of a join and the pair of each, `NO_OBJECT` where a row has none.

    Parameters
    ----------
    position : the row of each pair, ascending
    n : number of rows

    Examples
    --------
    >>> joined(np.array([0, 2, 2]), 3, "left")
    (array([0, 1, 2, 2]), array([ 0, -1,  1,  2]))
    """
    pair = np.arange(len(position))
    if how == "inner":
        return position, pair
    alone = np.setdiff1d(np.arange(n), position, assume_unique=False)
    rows = np.concatenate([position, alone])
    order = np.argsort(rows, kind="stable")
    return rows[order], np.append(pair, np.full(len(alone), NO_OBJECT))[order]


def with_nulls(table: pa.Table, found: npt.NDArray[np.bool_]) -> pa.Table:
    """The rows of a table where something was found, and rows of nulls between them."""
    if found.all():
        return table
    place = np.cumsum(found) - 1
    return table.take(pa.array(np.where(found, place, 0), mask=~found))
