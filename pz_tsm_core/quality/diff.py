"""What differs between two compilations: galaxies that came, went, were regrouped or moved in z.

Both are sorted along the sky, by keys that shift where groups change; so neither can be laid beside
the other row by row. Ids are hashes, evenly spread: both are read in slices of ids, one after the
other, each small enough for memory, and joined there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.ops.runs import run_starts
from pz_tsm_core.quality.changes import Pairs, Regrouped, changes
from pz_tsm_core.quality.tally import Floats, Ints
from pz_tsm_core.store import Store

#: Rows of each side that are joined at a time; both take about 0.3 GB.
SLICE_ROWS = 2_000_000

#: Ids, and what stands beside each.
Slice = tuple[Ints, npt.NDArray[Any]]


@dataclass(frozen=True)
class Diff:
    """How many galaxies and measurements differ between an old compilation and a new one.

    Parameters
    ----------
    added, removed : galaxies of which no measurement was, or is, in the other one's galaxies
    merged : new galaxies with measurements of several old ones
    split : old galaxies with measurements in several new ones
    renamed : galaxies that are called otherwise and are neither
    regrouped : old galaxies with measurements in a galaxy of another name
    redshifts : galaxies of one name on both sides whose redshift changed
    rows_added, rows_removed : measurements that only one side has
    surveys : measurements by survey, old and new
    """

    old_galaxies: int
    new_galaxies: int
    added: int
    removed: int
    merged: int
    split: int
    renamed: int
    regrouped: int
    redshifts: int
    rows_added: int
    rows_removed: int
    surveys: Mapping[str, tuple[int, int]]


def compilation_of(version: ProductVersion) -> ArtifactRef:
    """The compilation that a version is, or rests on.

    Raises
    ------
    TsmError
        `product.name` when it rests on none.
    """
    if COMBINE.name not in version.artifacts:
        raise refuse(Code.PRODUCT_NAME, str(version), found=f"a product of kind {version.kind}",
                     expected="a compilation, or a training set made with one",
                     remedy="`tsm products list` shows of which kind products are")
    return version.artifacts[COMBINE.name]


def diff(
    store: Store, old: ArtifactRef, new: ArtifactRef, *, dz: float = 0.0,
    keep: Callable[[pa.Table], object] | None = None,
) -> Diff:
    """Compare two compilations galaxy by galaxy.

    Parameters
    ----------
    dz : redshifts differ when they are further apart than this, over 1 + z; 0 for any difference
    keep : is given what changed, table by table in the columns of `CHANGES`

    Raises
    ------
    TsmError
        As `Store.batches`.
    """
    keep = keep or _forget
    rows, pairs = _common(store, old, new)
    named = np.unique(pairs)
    regrouped = Regrouped.of(
        pairs, named, _redshifts(store, old, named), _redshifts(store, new, named))
    galaxies = Counter[str]()
    for one, other in _joined(store, old, new, "galaxies", ["galaxy_id", "z"]):
        told = _of_galaxies(one, other, regrouped, dz)
        galaxies.update({"old": len(one[0]), "new": len(other[0]), **_counts(told)})
        keep(told)
    keep(regrouped.table)
    return Diff(
        galaxies["old"], galaxies["new"], galaxies["added"], galaxies["removed"],
        regrouped.merged, regrouped.split, regrouped.renamed, regrouped.galaxies,
        galaxies["redshift"], rows["new"] - rows["both"], rows["old"] - rows["both"],
        _paired(rows_by_survey(store, old), rows_by_survey(store, new)))


def rows_by_survey(store: Store, combined: ArtifactRef) -> Counter[str]:
    """Measurements of a compilation by survey."""
    rows = Counter[str]()
    for batch in store.batches(combined, "measurements", ["survey"]):
        rows.update(counted(batch["survey"]))
    return rows


def counted(column: pa.Array) -> dict[str, int]:
    """How often each text stands in a column."""
    values, counts = pc.value_counts(column).flatten()
    return dict(zip(values.to_pylist(), counts.to_pylist(), strict=True))


def _forget(_: pa.Table) -> None:
    """For those who only want to know how many."""


def _common(store: Store, old: ArtifactRef, new: ArtifactRef) -> tuple[Counter[str], Pairs]:
    """How many measurements there are, and old and new galaxy of those that changed theirs.

    No pair of galaxies stands twice.
    """
    rows, moved = Counter[str](), [np.zeros((2, 0), np.int64)]
    for one, other in _joined(store, old, new, "measurements", ["row_id", "galaxy_id"]):
        here, there = _both(one[0], other[0])
        rows.update({"old": len(one[0]), "new": len(other[0]), "both": len(here)})
        galaxies = np.stack([one[1][here], other[1][there]])
        moved.append(_distinct(galaxies[:, galaxies[0] != galaxies[1]]))
    return rows, _distinct(np.concatenate(moved, axis=1))


def _distinct(pairs: Pairs) -> Pairs:
    """Each pair once, in ascending order."""
    order = np.lexsort(pairs[::-1])
    pairs = pairs[:, order]
    new = np.ones(pairs.shape[1], dtype=bool)
    new[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
    return pairs[:, new]


def _redshifts(store: Store, combined: ArtifactRef, named: Ints) -> Floats:
    """Redshift of those galaxies among the named that a compilation has; NaN of the others."""
    z = np.full(len(named), np.nan)
    for batch in store.batches(combined, "galaxies", ["galaxy_id", "z"]) if len(named) else ():
        galaxy, value = _arrays(batch)
        place = np.searchsorted(named, galaxy).clip(max=len(named) - 1)
        hit = (named[place] == galaxy) & np.isnan(z[place])
        z[place[hit][::-1]] = value[hit][::-1]  # of several redshifts of a galaxy the first
    return z


def _of_galaxies(old: Slice, new: Slice, regrouped: Regrouped, dz: float) -> pa.Table:
    """What came, what went, and whose redshift changed, of the galaxies in a slice."""
    here, there = _both(old[0], new[0])
    both, z_old, z_new = old[0][here], old[1][here], new[1][there]
    moved = np.abs(z_new - z_old) > dz * (1 + z_old)
    gone = _apart(old[0], here, regrouped.former)
    came = _apart(new[0], there, regrouped.now)
    return pa.concat_tables([
        changes("added", new[0][came], None, None, new[1][came]),
        changes("removed", old[0][gone], old[0][gone], old[1][gone], None),
        changes("redshift", both[moved], both[moved], z_old[moved], z_new[moved]),
    ]).sort_by([("galaxy_id", "ascending"), ("what", "ascending")])


def _counts(told: pa.Table) -> dict[str, int]:
    return counted(told["what"].combine_chunks())


def _paired(old: Counter[str], new: Counter[str]) -> dict[str, tuple[int, int]]:
    return {survey: (old[survey], new[survey]) for survey in sorted({*old, *new})}


def _both(one: Ints, other: Ints) -> tuple[Ints, Ints]:
    """Places, here and there, of ids that stand on both sides; both are ascending."""
    place = np.searchsorted(other, one)
    found = np.zeros(len(one), dtype=bool)
    inside = place < len(other)
    found[inside] = other[place[inside]] == one[inside]
    return np.flatnonzero(found), place[found]


def _apart(ids: Ints, places: Ints, others: Ints) -> npt.NDArray[np.bool_]:
    """Which ids stand neither at these places nor among others."""
    apart = np.ones(len(ids), dtype=bool)
    apart[places] = False
    return apart & ~np.isin(ids, others)


def _joined(
    store: Store, old: ArtifactRef, new: ArtifactRef, table: str, columns: Sequence[str]
) -> Iterator[tuple[Slice, Slice]]:
    """Slice after slice of a table on both sides, cut by the first of two columns, an id."""
    rows = max(store.manifest(ref).table_rows[table] for ref in (old, new))
    for span in _spans(rows):
        one, other = (_slice(store.batches(ref, table, columns), span) for ref in (old, new))
        yield one, other


def _spans(rows: int) -> Iterator[tuple[int, int]]:
    """First and last id of every slice; together they are all 64-bit numbers."""
    number = max(1, -(-rows // SLICE_ROWS))
    edges = [-2**63, *(2**63 * place // number for place in range(1, number + 1))]
    yield from zip(edges[:-1], (edge - 1 for edge in edges[1:]), strict=True)


def _slice(batches: Iterable[pa.RecordBatch], span: tuple[int, int]) -> Slice:
    """What lies in a span of ids, ascending; of several rows of one id the first."""
    ids, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for batch in batches:
        key, value = _arrays(batch)
        inside = (key >= span[0]) & (key <= span[1])
        ids.append(key[inside])
        values.append(value[inside])
    key = np.concatenate(ids)
    order = np.argsort(key)  # three times as quick as one that keeps the order of equals
    starts = run_starts(key[order])
    first = np.minimum.reduceat(order, starts) if len(starts) else order
    return key[first], np.concatenate(values[1:] or values)[first]


def _arrays(batch: pa.RecordBatch) -> tuple[Ints, npt.NDArray[Any]]:
    return batch.column(0).to_numpy(), batch.column(1).to_numpy()
