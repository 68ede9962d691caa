"""Ids that depend on content alone (byte-exact: docs/reference/ids.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.native_row import BATCH_ROWS, key_text, row_bytes
from pz_tsm_core.ops.runs import run_lengths, run_starts

Ints = npt.NDArray[np.int64]

#: The unit separator of ASCII.
US = "\x1f"
_POSITIVE = np.int64(2**63 - 1)


@dataclass(frozen=True)
class Identity:
    """What each native row is known by, in the order of the rows.

    Parameters
    ----------
    native_id : the survey's own id as text; null where it gave none
    native_key : the id, or `row:` and a hash of the whole row where there is none
    native_rank : place among the rows of one key, by the bytes of the whole row
    """

    native_id: pa.Array
    native_key: pa.Array
    native_rank: npt.NDArray[np.int32]

    def filter(self, kept: npt.NDArray[np.bool_]) -> Identity:
        """The rows that are kept; their ranks stay those among all rows."""
        if kept.all():
            return self
        keep = pa.array(kept)
        return Identity(self.native_id.filter(keep), self.native_key.filter(keep),
                        self.native_rank[kept])


def identify(table: pa.Table, survey: Survey) -> Identity:
    """Name every row of a native table, whatever the order of the rows.

    Rows that repeat a key are told apart by their bytes: the native columns that the survey
    names, but for those beside position and redshift, which come after all others. Rows that are
    equal in all of these are interchangeable; they get ranks of their own.
    """
    row, beside = (table.select(sorted(names)) for names in
                   (survey.columns.identity, survey.native_columns - survey.columns.identity))
    columns = survey.columns.id.from_ if survey.columns.id else ()
    native_id = key_text(row, columns) if columns else pa.nulls(len(table), pa.string())
    native_key = _fill(native_id, row)
    return Identity(native_id, native_key, _ranks(native_key, row, beside))


def _fill(native_id: pa.Array, row: pa.Table) -> pa.Array:
    """Give the rows without an id one that follows from their bytes."""
    missing = pc.is_null(native_id)
    if not pc.any(missing).as_py():
        return native_id
    batches = row.filter(missing).to_batches(max_chunksize=BATCH_ROWS)
    return pc.replace_with_mask(native_id, missing, pa.concat_arrays(map(_row_keys, batches)))


def _row_keys(batch: pa.RecordBatch) -> pa.Array:
    rows = row_bytes(pa.Table.from_batches([batch])).to_pylist()
    digests = _digests(rows, blake2b(digest_size=16))
    return pa.array([f"row:{digest.hex()}" for digest in digests], pa.string())


def _ranks(native_key: pa.Array, row: pa.Table, beside: pa.Table) -> npt.NDArray[np.int32]:
    """Rank of every row among those of its key; 0 unless the key is repeated."""
    encoded = native_key.dictionary_encode()
    code = encoded.indices.to_numpy()
    ranks = np.zeros(len(code), dtype=np.int32)
    repeated = np.flatnonzero(np.bincount(code, minlength=len(encoded.dictionary))[code] > 1)
    if repeated.size:
        among = pa.array(repeated)
        ordered = repeated[_order(code[repeated], row.take(among), beside.take(among))]
        starts = run_starts(code[ordered])
        first = np.repeat(starts, run_lengths(starts, len(ordered)))
        ranks[ordered] = np.arange(len(ordered)) - first
    return ranks


def _order(code: Ints, row: pa.Table, beside: pa.Table) -> Ints:
    """Order of rows by the code of their key, then by their bytes."""
    columns = {"code": pa.array(code), "row": row_bytes(row)}
    if beside.num_columns:
        columns["beside"] = row_bytes(beside)
    return np.asarray(pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns]))


def id_hashes(messages: Iterable[str]) -> Ints:
    r"""BLAKE2b-64 of each text in UTF-8, read big-endian, its top bit cleared.

    >>> id_hashes(["desi_dr1\x1fDR1\x1f39627966220603924/main/dark\x1f0"])
    array([5064703388525172968])
    """
    return _as_ids(_digests((message.encode() for message in messages), blake2b(digest_size=8)))


def row_ids(survey: Survey, identity: Identity) -> Ints:
    """Id of each measurement of one survey release: the hash of survey, release, key and rank.

    Raises
    ------
    TsmError
        `id.collision` when two rows get one id.
    """
    parts = pa.table([identity.native_key, pa.array(identity.native_rank)], names=["key", "rank"])
    return distinct_ids(_ids(parts, f"{survey.key}{US}{survey.release}{US}"), "row_id")


def galaxy_ids(measurements: pa.Table, group: npt.NDArray[np.integer]) -> Ints:
    """Id of the galaxy of each measurement, named by one member of its group.

    The naming member is the smallest in (survey_ordinal, survey, native_key, native_rank); its
    release is not part of the id, so that a new release of a survey renames no galaxy.

    Parameters
    ----------
    measurements : standard columns
    group : the same number for all measurements of one galaxy, shape (n,)

    Raises
    ------
    TsmError
        `id.collision` when two groups get one id.
    """
    code = _numbered(group)
    table = measurements.select(["survey", "survey_ordinal", "native_key", "native_rank"])
    naming = table.take(pa.array(_naming_members(table, code)))
    ids = _ids(naming.select(["survey", "native_key", "native_rank"]))
    return distinct_ids(ids, "galaxy_id")[code]


def _ids(parts: pa.Table, start: str = "") -> Ints:
    """Hash of each row: the start, then its values with the separator between them."""
    begun, found = blake2b(start.encode(), digest_size=8), [np.zeros(0, np.int64)]
    for batch in parts.to_batches(max_chunksize=BATCH_ROWS):
        texts = (column.cast(pa.string()) for column in batch.columns)
        messages = pc.binary_join_element_wise(*texts, US).cast(pa.binary())
        found.append(_as_ids(_digests(messages.to_pylist(), begun)))
    return np.concatenate(found)


def _digests(messages: Iterable[bytes], begun: blake2b) -> list[bytes]:
    """Hash of what was hashed so far and each message behind it."""
    digests = []
    for message in messages:
        state = begun.copy()  # takes half the time of a new one
        state.update(message)
        digests.append(state.digest())
    return digests


def _as_ids(digests: Iterable[bytes]) -> Ints:
    return np.frombuffer(b"".join(digests), dtype=">i8").astype(np.int64) & _POSITIVE


def _numbered(group: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Groups numbered from 0 without gaps; most come so, and that is quickly seen."""
    if len(group) and group.min() >= 0 and group.max() < len(group) and np.bincount(group).all():
        return np.asarray(group, dtype=np.intp)
    return np.asarray(np.unique(group, return_inverse=True)[1], dtype=np.intp)


def _naming_members(table: pa.Table, code: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Row of the naming member of each group, given groups numbered from 0 without gaps."""
    size = np.bincount(code)
    naming = np.empty(len(size), dtype=np.intp)
    naming[code] = np.arange(len(code))  # right already for groups of one
    shared = np.flatnonzero(size[code] > 1)
    among = table.take(pa.array(shared)).append_column("code", pa.array(code[shared]))
    keys = ("code", "survey_ordinal", "survey", "native_key", "native_rank")
    order = pc.sort_indices(among, [(key, "ascending") for key in keys]).to_numpy()
    groups, first = np.unique(code[shared][order], return_index=True)
    naming[groups] = shared[order][first]
    return naming


def distinct_ids(ids: Ints, name: str) -> Ints:
    """Give back ids of which no two are equal.

    Raises
    ------
    TsmError
        `id.collision`
    """
    ordered = np.sort(ids)
    repeated = int((ordered[1:] == ordered[:-1]).sum())
    if repeated:
        raise refuse(Code.ID_COLLISION, name, found=f"{repeated} that stand for two things",
                     expected="one id, one thing",
                     remedy="look for a survey that is present in two releases; by chance alone "
                     "63 bits collide once in 20 million tables of a million rows")
    return ids
