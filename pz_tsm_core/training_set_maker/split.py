"""Which rows are for training: a hash of what a row is, whatever is beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.model.policy import SplitPolicy
from pz_tsm_core.ops.identify import id_hashes
from pz_tsm_core.ops.native_row import key_text, row_bytes
from pz_tsm_core.ops.split import uniform_from_id

Int64s = npt.NDArray[np.int64]

#: Seed where a configuration names none: that of every recipe which does not.
SEED = SplitPolicy().seed


def is_training_set(
    ids: Sequence[pa.ChunkedArray], rows: pa.Table, fraction: float, seed: int
) -> pa.Array:
    """1 for the rows that are for training, 0 for the others, shape (n,).

    A row is for training where `ops.split.uniform_from_id` of its number is below the fraction.
    Its number is the first of its ids that is not null: a whole number itself, the hash of a text
    (`ops.identify.id_hashes`); without any the hash of the row's canonical bytes in hexadecimal
    digits.

    Parameters
    ----------
    ids : columns by which rows are known, the best first
    rows : what rows without an id are known by
    seed : any whole number; only its 64 lowest bits count
    """
    number = np.zeros(len(rows), np.int64)
    known = np.zeros(len(rows), dtype=bool)
    for column in ids:
        there = ~known & ~np.asarray(pc.is_null(column, nan_is_null=True))
        number[there] = _numbers(column.filter(pa.array(there)))
        known |= there
    unknown = pa.array(~known)
    number[~known] = id_hashes(row.hex() for row in row_bytes(rows.filter(unknown)).to_pylist())
    chosen = uniform_from_id(number, seed % 2**64) < fraction
    return pa.array(chosen.astype(np.int64))


def _numbers(column: pa.ChunkedArray) -> Int64s:
    """Ids, none of them null, as numbers."""
    if pa.types.is_uint64(column.type):
        return np.asarray(column.to_numpy()).view(np.int64)
    if pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.int64()).to_numpy())
    return id_hashes(key_text(pa.table({"id": column}), ["id"]).fill_null("").to_pylist())
