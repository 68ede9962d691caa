"""From measurements of many surveys to galaxies: grouped, ranked, and each with its reason.

The work has two halves. `associate` sees all measurements at once, but of each only where it is:
it says what belongs together. `settle` sees whole measurements, but only those of one part of the
sky: no galaxy is divided between two parts. `combine` does both for a table in memory;
`sky.combine` for tables of any size, with the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.schema import PAIR_SCHEMA, RESOLVED_SCHEMA
from pz_tsm_core.ops.associate import Links, Mapper, links_within, one_by_one
from pz_tsm_core.ops.crd import crd_ids, crd_table
from pz_tsm_core.ops.distinct import distinct_rows, refuse_different, standard
from pz_tsm_core.ops.extent import split_chains
from pz_tsm_core.ops.galaxies import ELIGIBLE, WINNERS, Groups, galaxy_table
from pz_tsm_core.ops.identify import galaxy_ids
from pz_tsm_core.ops.rank import Mask, Ranking, rank
from pz_tsm_core.ops.reach import REACH_COLUMNS, reach_of
from pz_tsm_core.ops.resolve import ineligible, resolve
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sphere import order_along, spatial_index

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Combined:
    """The three tables of a compilation, or of a part of the sky, and the account of its rows.

    All are sorted by where they are: by the largest `_healpix_29` among what hangs together, then
    by galaxy_id and row_id, pairs by their two row_ids.

    Parameters
    ----------
    measurements : every distinct measurement with galaxy_id and reason
    galaxies : what speaks for the galaxies, as the policy's mode says
    pairs : pairs within reach; not those between measurements that are both crowded
    rows : measurements in, galaxies out, the others by reason
    counts : what else is to be told: pairs, groups, conflicts
    crd : with the preset `crc`, what the pipeline that it follows says of the measurements
    """

    measurements: pa.Table
    galaxies: pa.Table
    pairs: pa.Table
    rows: Rows
    counts: Mapping[str, int]
    crd: pa.Table | None = None


@dataclass(frozen=True)
class Association:
    """What belongs together among measurements, by their places.

    Parameters
    ----------
    group : label 0 .. k-1 of the galaxy of each, shape (n,)
    home : where each stands in the order of the sky: the largest `_healpix_29` among all that
        hangs together by pairs, shape (n,)
    links : the pairs
    """

    group: Ints
    home: Ints
    links: Links

    def part(self, rows: Ints, pairs: Ints) -> Association:
        """What belongs together among some rows, by places among them; of the links these pairs.

        Parameters
        ----------
        rows : ascending, and whole groups
        pairs : places in `links`
        """
        first, second = (np.searchsorted(rows, ends[pairs])
                         for ends in (self.links.first, self.links.second))
        _, group = np.unique(self.group[rows], return_inverse=True)
        listed = replace(Links.none(), first=first, second=second,
                         separation=self.links.separation[pairs])
        return Association(group, self.home[rows], listed)


@dataclass
class Account:
    """Counts that grow part by part."""

    taken: int = 0
    given: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Account) -> None:
        """Take in the account of another part."""
        self.taken += other.taken
        self.given += other.given
        self.reasons.update(other.reasons)
        self.counts.update(other.counts)

    def rows(self, policy: CombinePolicy, repeated: int) -> Rows:
        """Measurements in, galaxies out, the others by reason, those that came twice among them."""
        kept = WINNERS if policy.mode == "remove" else ELIGIBLE
        dropped = {reason.name.lower(): self.reasons[reason] for reason in Reason
                   if reason not in kept}
        return Rows(taken=self.taken + repeated, given=self.given,
                    dropped={**dropped, "repeated_row": repeated})


def combine(measurements: pa.Table, policy: CombinePolicy) -> Combined:
    """Group measurements of one galaxy and choose the best of each group.

    All pairs within reach are found, not only nearest neighbours; a galaxy is a connected
    component of the pairs. Which member speaks for it the policy says; the smaller row_id decides
    in the end, so that nothing depends on the order of the rows.

    Parameters
    ----------
    measurements : standard columns (`model.schema.MEASUREMENT`), in any order

    Raises
    ------
    TsmError
        `id.collision` when two different measurements have one row_id.
    """
    table = standard(measurements)
    first = distinct_rows(table["row_id"].to_numpy(), table["ra"].to_numpy(),
                          table["dec"].to_numpy())
    refuse_different(table, first)
    kept = np.flatnonzero(first == np.arange(len(table)))
    table = table.take(pa.array(kept))
    found, account = associate(table, policy), Account()
    tables = settle(table, found, policy, account)
    account.counts["pairs not listed"] = found.links.unlisted
    crd = None
    if policy.preset == "crc":
        ids = _crd_ids(measurements["survey"]).take(pa.array(kept))
        crd = crd_table(table, found.group, found.links, ids, policy)
    return Combined(*tables, account.rows(policy, len(first) - len(kept)), dict(account.counts),
                    crd)


def _crd_ids(survey: pa.ChunkedArray) -> pa.Array:
    """CRD_IDs of rows by their places: surveys count as catalogues, in the order they come in."""
    source = survey.combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(source, kind="stable")
    starts = run_starts(source[order])
    place = np.empty(len(source), dtype=np.int64)
    place[order] = np.arange(len(source)) - np.repeat(starts, run_lengths(starts, len(source)))
    return crd_ids(source + 1, place + 1)


def placed_columns(policy: CombinePolicy) -> list[str]:
    """What must be known of all measurements at once to say what belongs together."""
    varied = bool(policy.survey_radius_arcsec or policy.position_errors)
    apart = policy.ineligible == "apart"
    return ["row_id", "ra", "dec", *(REACH_COLUMNS if varied else ()),
            *(("quality", "object_class") if apart else ())]


def associate(
    table: pa.Table, policy: CombinePolicy, *, mapper: Mapper = one_by_one
) -> Association:
    """Say what belongs together.

    Parameters
    ----------
    table : `placed_columns` at least, each measurement once
    mapper : does parts of the sky one after the other, or side by side
    """
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    index, n = spatial_index(ra, dec), len(table)
    if policy.mode == "concatenate":
        return Association(np.arange(n), index, Links.none())
    reach = reach_of(table, policy)
    links = links_within(ra, dec, reach, mapper=mapper)
    together = group = links.components(n)
    if policy.ineligible == "apart":
        able = np.flatnonzero(ineligible(table, policy) == Reason.ALONE)
        own = links_within(ra[able], dec[able], reach.of(able), mapper=mapper).moved(able)
        group = own.components(n)
    home = np.full(int(together.max(initial=-1)) + 1, -1, dtype=np.int64)
    np.maximum.at(home, together, index)
    return Association(group, home[together], links)


def settle(
    table: pa.Table, found: Association, policy: CombinePolicy, account: Account
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Measurements, galaxies and pairs of a part of the sky in which no galaxy is divided.

    Parameters
    ----------
    table : standard columns, each measurement once
    found : what belongs together among its rows
    account : takes in the counts
    """
    group = found.group
    if policy.chains == "split":
        group, ranking = split_chains(table, group, policy)
    else:
        ranking = rank(table, group, policy)
    resolved = resolve(table, ranking, policy)
    reason = resolved.reason
    galaxy_id = galaxy_ids(table, group)
    order = order_along(found.home, galaxy_id, table["row_id"].to_numpy())
    measurements = _resolved_table(table, galaxy_id, reason).take(pa.array(order))
    groups = Groups(
        measurements, _best(ranking, reason, order), resolved.conflict[order],
        class_conflicts(table, group, found.links, policy)[order])
    galaxies = galaxy_table(groups, policy)
    _count(account, groups, galaxies, found.links, policy)
    return measurements, galaxies, pair_table(table["row_id"].to_numpy(), found)


def _resolved_table(table: pa.Table, galaxy_id: Ints, reason: npt.NDArray[np.int8]) -> pa.Table:
    columns = [pa.array(galaxy_id), pa.array(reason), *table.columns]
    return pa.table(columns, schema=RESOLVED_SCHEMA)


def _best(ranking: Ranking, reason: npt.NDArray[np.int8], order: Ints) -> Ints:
    """For every row, in a new order, the new place of the best of its group that may speak.

    Of a group of which none may, the best of all.
    """
    best = np.arange(len(order))
    best[ranking.rows] = ranking.rows[ranking.best]
    able = ranking.among(np.isin(reason[ranking.rows], ELIGIBLE))
    speaker = best.copy()
    speaker[best[able.rows]] = able.rows[able.best]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[speaker[best][order]]


def class_conflicts(table: pa.Table, group: Ints, links: Links, policy: CombinePolicy) -> Mask:
    """Whether something good enough, but of an excluded class, is where each one's galaxy is."""
    reason = ineligible(table, policy)
    odd = (reason == Reason.EXCLUDED_CLASS) & (table["quality"].to_numpy() >= policy.min_quality)
    disputed = np.zeros(int(group.max(initial=-1)) + 1, dtype=bool)
    disputed[group[odd]] = True
    for one, other in ((links.first, links.second), (links.second, links.first)):
        disputed[group[other[odd[one] & ~odd[other]]]] = True
    return np.asarray(disputed[group] & ~odd)


def pair_table(row_id: Ints, found: Association) -> pa.Table:
    """Pairs by their row_ids, the smaller one first, sorted as the measurements are."""
    one, other = row_id[found.links.first], row_id[found.links.second]
    smaller, larger = np.minimum(one, other), np.maximum(one, other)
    order = order_along(found.home[found.links.first], smaller, larger)
    columns = [smaller[order], larger[order], found.links.separation[order]]
    return pa.table([pa.array(values) for values in columns], schema=PAIR_SCHEMA)


def _count(
    account: Account, groups: Groups, galaxies: pa.Table, links: Links, policy: CombinePolicy
) -> None:
    reason = groups.table["reason"].to_numpy()
    account.taken += len(reason)
    account.given += len(galaxies)
    codes, numbers = np.unique(reason, return_counts=True)
    account.reasons.update(dict(zip(map(Reason, codes), numbers.tolist(), strict=True)))
    account.counts.update({
        "pairs": len(links.first),
        "groups": groups.count(np.ones(len(reason), dtype=bool)),
        "groups larger than the extent": groups.count(groups.from_best > policy.extent_arcsec),
        "groups whose redshifts disagree": groups.count(groups.z_conflict),
        "groups with an excluded class": groups.count(groups.class_conflict),
    })
