"""Ids, ties and neighbours as the existing pipeline calls them.

A CRD_ID says where a row stood: `CRD001_17` is the seventeenth of the first catalogue. Ties between
equals are broken by it, as text, and groups are named by the smallest; `ops.ties` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.combining import Agreement, CombinePolicy
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.schema import CRD_SCHEMA
from pz_tsm_core.ops.associate import Ints, Links
from pz_tsm_core.ops.footprints import in_dp1_fields, in_lsst_footprint
from pz_tsm_core.ops.identify import id_hashes
from pz_tsm_core.ops.rank import cost
from pz_tsm_core.ops.resolve import ineligible
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.ops.ties import decide_ties

_LOW = 2**32 - 1


@dataclass(frozen=True)
class Company:
    """Rows near one another, and their ids.

    Parameters
    ----------
    ids : CRD_ID of each row, shape (n,)
    first, second : rows of each pair, shape (m,)
    group : number of the group of each row, shape (n,)
    order : place of each id in the order of texts, among rows that have company, shape (n,)
    """

    ids: pa.Array
    first: Ints
    second: Ints
    group: Ints
    order: Ints


def company(ids: pa.Array, first: Ints, second: Ints, group: Ints) -> Company:
    """Put the ids of rows that have company into the order of texts; 0 for all others."""
    has_company = np.zeros(len(ids), dtype=bool)
    has_company[first] = has_company[second] = True
    paired = np.flatnonzero(has_company)
    order = np.zeros(len(ids), dtype=np.int64)
    order[paired[pc.sort_indices(ids.take(pa.array(paired))).to_numpy()]] = np.arange(len(paired))
    return Company(ids, first, second, group, order)


def compared_to(found: Company) -> pa.Array:
    """CRD_IDs near each row, in the order of texts, divided by commas; null where there is none."""
    row = np.concatenate([found.first, found.second])
    near = np.concatenate([found.second, found.first])
    at = np.empty(len(found.ids), dtype=np.int64)  # row by its place in the order of texts
    at[found.order[near]] = near
    # One sort of one number is several times quicker than a sort by two keys.
    sorted_near = at[np.sort(_two_in_one(row, found.order[near])) & _LOW]
    count = np.bincount(row, minlength=len(found.ids))
    bounds = np.concatenate([[0], np.cumsum(count)])
    lists = pa.ListArray.from_arrays(pa.array(bounds, pa.int32()),
                                     found.ids.take(pa.array(sorted_near)))
    return pc.if_else(pa.array(count > 0), pc.binary_join(lists, ", "),
                      pa.scalar(None, pa.string()))


def group_ids(found: Company) -> Ints:
    """A number for each row's group that depends on its smallest CRD_ID alone.

    BLAKE2b-64 of that id, read big-endian, its top bit cleared, as in the existing pipeline of
    July 2026.

    Raises
    ------
    TsmError
        `id.collision` when two groups get one number.
    """
    naming = np.argsort(_two_in_one(found.group, found.order))
    starts = run_starts(found.group[naming])
    hashes = id_hashes(found.ids.take(pa.array(naming[starts])).to_pylist())
    if (np.diff(np.sort(hashes)) == 0).any():
        raise refuse(Code.ID_COLLISION, "group_id", found="one number for two groups",
                     expected="one group, one number", remedy="change the digits of an "
                     "internal_name: the numbers follow from CRD_IDs")
    numbers = np.empty(len(found.ids), dtype=np.int64)
    numbers[naming] = np.repeat(hashes, run_lengths(starts, len(naming)))
    return numbers


def _two_in_one(major: Ints, minor: Ints) -> Ints:
    """Numbers in the order of two: rows are counted in 32 bits here."""
    return (major << 32) | minor


def crd_ids(source: Ints, place: Ints) -> pa.Array:
    """`CRD{source}_{place}` of each row, both counted from 1; the source in three digits.

    >>> crd_ids(np.array([1, 12]), np.array([17, 3])).to_pylist()
    ['CRD001_17', 'CRD012_3']
    """
    number = pc.utf8_lpad(pa.array(source).cast(pa.string()), 3, "0")
    named = pc.binary_join_element_wise("CRD", number, "")
    return pc.binary_join_element_wise(named, pa.array(place).cast(pa.string()), "_")


def crd_table(
    table: pa.Table, group: Ints, links: Links, ids: pa.Array, policy: CombinePolicy
) -> pa.Table:
    """What the existing pipeline would say of measurements: `model.schema.CRD`, in their order.

    Those below the policy's quality are left out, as it cuts them before it looks at the sky.

    Parameters
    ----------
    table : standard columns
    group, links : what belongs together among its rows
    ids : CRD_ID of each
    """
    why = ineligible(table, policy)
    kept = np.flatnonzero(why != Reason.LOW_QUALITY)
    place = np.full(len(table), -1)
    place[kept] = np.arange(len(kept))
    first, second = place[links.first], place[links.second]
    near = (first >= 0) & (second >= 0)
    rows = table.take(pa.array(kept))
    label = np.unique(group[kept], return_inverse=True)[1]
    found = company(ids.take(pa.array(kept)), first[near], second[near], label)
    keys = [-cost(name, rows, label, policy) for name in policy.prefer]
    agreement = policy.agreement or Agreement(dz=0)
    ties = decide_ties(label, keys, rows["z"].to_numpy(), found.order, delta_z=agreement.dz,
                       chained=agreement.chained, excluded=why[kept] == Reason.EXCLUDED_CLASS)
    ra, dec = rows["ra"].to_numpy(), rows["dec"].to_numpy()
    columns = [rows["row_id"], found.ids, ties, compared_to(found), group_ids(found),
               in_dp1_fields(ra, dec), in_lsst_footprint(ra, dec)]
    arrays = [values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
              for values in columns]
    return pa.table(arrays, schema=CRD_SCHEMA)
