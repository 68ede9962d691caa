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
from pz_tsm_core.ops.native_row import key_text, row_bytes

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
        keep = pa.array(kept)
        return Identity(self.native_id.filter(keep), self.native_key.filter(keep),
                        self.native_rank[kept])


def identify(table: pa.Table, survey: Survey) -> Identity:
    """Name every row of a native table, whatever the order of the rows.

    Rows that repeat a key are told apart by their bytes: the native columns that the survey
    names, but for those beside position and redshift. Rows that are equal in all of these are
    interchangeable; they get ranks of their own.
    """
    native = table.select(sorted(survey.columns.identity))
    columns = survey.columns.id.from_ if survey.columns.id else ()
    native_id = key_text(native, columns) if columns else pa.nulls(len(table), pa.string())
    native_key = _fill(native_id, native)
    return Identity(native_id, native_key, _ranks(native_key, native))


def _fill(native_id: pa.Array, native: pa.Table) -> pa.Array:
    """Give the rows without an id one that follows from their bytes."""
    missing = pc.is_null(native_id)
    if not pc.any(missing).as_py():
        return native_id
    hashes = ["row:" + blake2b(row, digest_size=16).hexdigest()
              for row in row_bytes(native.filter(missing))]
    return pc.replace_with_mask(native_id, missing, pa.array(hashes, pa.string()))


def _ranks(native_key: pa.Array, native: pa.Table) -> npt.NDArray[np.int32]:
    """Rank of every row among those of its key; 0 unless the key is repeated."""
    encoded = native_key.dictionary_encode()
    code = encoded.indices.to_numpy()
    repeated = np.flatnonzero(np.bincount(code, minlength=len(encoded.dictionary))[code] > 1)
    ranks = np.zeros(len(code), dtype=np.int32)
    if repeated.size:
        rows = row_bytes(native.take(pa.array(repeated)))
        seen: dict[int, int] = {}
        for place in sorted(range(len(rows)), key=rows.__getitem__):
            group = int(code[repeated[place]])
            ranks[repeated[place]] = seen[group] = seen.get(group, -1) + 1
    return ranks


def id_hashes(messages: Iterable[str]) -> Ints:
    r"""BLAKE2b-64 of each text in UTF-8, read big-endian, its top bit cleared.

    >>> id_hashes(["desi_dr1\x1fDR1\x1f39627966220603924/main/dark\x1f0"])
    array([5064703388525172968])
    """
    hashes = [blake2b(message.encode(), digest_size=8).digest() for message in messages]
    return np.frombuffer(b"".join(hashes), dtype=">i8").astype(np.int64) & _POSITIVE


def row_ids(survey: Survey, identity: Identity) -> Ints:
    """Id of each measurement of one survey release: the hash of survey, release, key and rank.

    Raises
    ------
    TsmError
        `id.collision` when two rows get one id.
    """
    start = f"{survey.key}{US}{survey.release}{US}"
    rows = zip(identity.native_key.to_pylist(), identity.native_rank.tolist(), strict=True)
    return _distinct(id_hashes(f"{start}{key}{US}{rank}" for key, rank in rows), "row_id")


def galaxy_ids(measurements: pa.Table, group: npt.NDArray[np.integer]) -> Ints:
    """Id of the galaxy of each measurement, named by one member of its group.

    The naming member is the smallest in (survey_ordinal, native_key, native_rank); the survey's
    release is not part of the id, so that a new release of it renames no galaxy.

    Parameters
    ----------
    measurements : standard columns
    group : the same number for all measurements of one galaxy, shape (n,)

    Raises
    ------
    TsmError
        `id.collision` when two groups get one id.
    """
    _, code = np.unique(group, return_inverse=True)
    table = measurements.select(["survey", "survey_ordinal", "native_key", "native_rank"])
    naming = table.take(pa.array(_naming_members(table, code)))
    members = zip(naming["survey"].to_pylist(), naming["native_key"].to_pylist(),
                  naming["native_rank"].to_pylist(), strict=True)
    ids = id_hashes(f"{survey}{US}{key}{US}{rank}" for survey, key, rank in members)
    return _distinct(ids, "galaxy_id")[code]


def _naming_members(table: pa.Table, code: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Row of the naming member of each group, given groups numbered from 0 without gaps."""
    size = np.bincount(code)
    naming = np.empty(len(size), dtype=np.intp)
    naming[code] = np.arange(len(code))  # right already for groups of one
    shared = np.flatnonzero(size[code] > 1)
    among = table.take(pa.array(shared)).append_column("code", pa.array(code[shared]))
    keys = ("code", "survey_ordinal", "native_key", "native_rank")
    order = pc.sort_indices(among, [(key, "ascending") for key in keys]).to_numpy()
    groups, first = np.unique(code[shared][order], return_index=True)
    naming[groups] = shared[order][first]
    return naming


def _distinct(ids: Ints, name: str) -> Ints:
    ordered = np.sort(ids)
    repeated = int((ordered[1:] == ordered[:-1]).sum())
    if repeated:
        raise refuse(Code.ID_COLLISION, name, found=f"{repeated} that stand for two things",
                     expected="one id, one thing",
                     remedy="look for a survey that is present in two releases; by chance alone "
                     "63 bits collide once in 20 million tables of a million rows")
    return ids
