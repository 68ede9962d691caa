"""Which side a galaxy is on: a hash of its id, so that no galaxy is ever on two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.policy import SplitPolicy
from pz_tsm_core.model.schema import SPLIT


def splitmix64(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """One step of SplitMix64 on 64-bit words (Steele, Lea & Flood 2014, OOPSLA, fig. 17)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform_from_id(galaxy_id: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each galaxy, by its id and the seed alone.

    The top 53 bits of splitmix64(seed xor galaxy_id), as a fraction of 2**53.

    >>> uniform_from_id(np.array([1, 2, 3]), seed=2026)
    array([0.34821245, 0.62276554, 0.03039505])
    """
    word = splitmix64(galaxy_id.view(np.uint64) ^ np.uint64(seed))
    return (word >> np.uint64(11)).astype(np.float64) / 2.0**53


def split_names(
    galaxy_id: npt.NDArray[np.int64], fractions: Mapping[str, float], seed: int
) -> pa.Array:
    """Name of the part of each galaxy: cumulative `fractions` in their order, shape (n,)."""
    edges = np.cumsum(list(fractions.values()))
    part = np.searchsorted(edges, uniform_from_id(galaxy_id, seed), side="right")
    part = np.minimum(part, len(fractions) - 1)  # the last edge may round to just below 1
    return pa.DictionaryArray.from_arrays(pa.array(part, pa.int32()), list(fractions)).cast(
        pa.string()
    )


def split_batches(
    batches: Iterable[pa.RecordBatch],
    policy: SplitPolicy,
    *,
    parts: Counter[str],
    surveys: Counter[str],
) -> Iterator[pa.RecordBatch]:
    """Append column `split` to a stream of rows, counting the rows of each part and survey."""
    for batch in batches:
        table = assign_split(pa.Table.from_batches([batch]), policy)
        parts.update(table["split"].to_pylist())
        surveys.update(table["survey"].to_pylist())
        yield from table.to_batches()


def assign_split(table: pa.Table, policy: SplitPolicy) -> pa.Table:
    """Append column `split` to a table that has a column `galaxy_id`.

    Raises
    ------
    TsmError
        when the table has no `galaxy_id` of type int64 without nulls, or is split already.
    """
    if "galaxy_id" not in table.column_names:
        raise refuse(Code.TABLE_MISSING_COLUMN, "galaxy_id", found="no such column",
                     expected="the ids that `combine` gives", remedy="combine first")
    ids = table["galaxy_id"]
    if ids.type != pa.int64() or ids.null_count:
        raise refuse(Code.TABLE_COLUMN_TYPE, "galaxy_id", expected="int64 without nulls",
                     found=f"{ids.type}, {ids.null_count} nulls",
                     remedy="keep ids in integers; a float loses their last digits")
    if SPLIT.name in table.column_names:
        raise refuse(Code.TABLE_DUPLICATE_COLUMN, SPLIT.name, found="a table that is split already",
                     expected="a table without that column", remedy="drop it first")
    names = split_names(np.ascontiguousarray(ids.to_numpy()), policy.fractions, policy.seed)
    return table.append_column(SPLIT.field, names)
