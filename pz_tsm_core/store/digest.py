"""What a table says, as 32 hexadecimal digits, whatever the order and grouping of its rows.

The digest is a sum over rows, so batches, files, partitions and workers may be combined in any
order, while a row that is lost, doubled or changed is seen. The specification, on which published
digests rest, is this (all arithmetic modulo 2^64; k = 0, 1 names the lane):

1. `mix_0` is the finaliser of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195, with
   the constants of Stafford's variant 13), `mix_1` the finaliser `fmix64` of MurmurHash3.
2. The salt of a column is sha256("pz-tsm column <position>"), read as four little-endian unsigned
   64-bit integers: s_0, s_1, n_0, n_1. The elements of lists use "pz-tsm element" in its place.
3. Every value has two words. Integers, booleans, dates, times, timestamps and durations: the
   integer, sign-extended, in both. Floats: the IEEE bits of their own width, where -0.0 counts as
   0.0 and every NaN as the positive quiet NaN without payload. Bytes and UTF-8 text: zero-padded
   to 64-bit little-endian pieces p_1 ... p_m, then
   word_k = length + sum_i mix_k(p_i + i G), with G = 0x9e3779b97f4a7c15.
   Lists: as text, with cell_k of element i in the place of p_i, and the number of elements as the
   length.
4. cell_k = mix_k(word_k + s_k), or n_k for null.
5. row_k = mix_k(sum of cell_k over the columns); sum_k = sum of row_k over the rows.
6. The digest is the first 32 digits of sha256 over the canonical JSON (sorted keys, no spaces) of
   {"columns": [[name, type], ...], "format": 1, "rows": count, "sums": [sum_0, sum_1]}, the sums as
   16 hexadecimal digits each. Types are logical: string, large_string and string_view are
   "string", the binary types "binary", lists of T "list<T>", a dictionary the type of its values;
   others as Arrow prints them. Nullability and metadata do not count.

It guards against accidents and mix-ups. Sums of rows can be forged by somebody who sets out to;
against that stand the sha256 of the files.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import Code, Problems
from pz_tsm_core.model.artifact import canonical_json
from pz_tsm_core.store.cells import Words, cells, holds_one_value, mix_0, mix_1, salt_of
from pz_tsm_core.store.logical import is_known, logical

#: Rows hashed at a time: temporary arrays stay within the processor's cache.
CHUNK_ROWS = 16_384

_MASK = (1 << 64) - 1


class TableDigest:
    """The digest of a table that arrives in pieces, in any order and from any worker.

    Parameters
    ----------
    schema : ordered column names and types of every piece

    Raises
    ------
    TsmError
        For columns of a type that has no place in the specification.

    Examples
    --------
    >>> table = pa.table({"objectId": [1, 2, 3], "z": [0.1, None, 0.3]})
    >>> digest = TableDigest(table.schema)
    >>> digest.update(table)
    >>> digest.hexdigest()
    '46613bb1b8081d9c86d490afc2b86f33'
    """

    def __init__(self, schema: pa.Schema) -> None:
        _refuse_unknown_types(schema)
        self._columns = _columns(schema)
        self._salts = [salt_of(f"pz-tsm column {position}") for position in range(len(schema))]
        self._sums = (0, 0)
        self.rows = 0

    def update(self, data: pa.RecordBatch | pa.Table) -> None:
        """Add the rows of one piece."""
        self._expect(_columns(data.schema))
        if isinstance(data, pa.Table):
            data = data.unify_dictionaries()
            batches = data.to_batches(max_chunksize=CHUNK_ROWS)
        else:
            starts = range(0, data.num_rows, CHUNK_ROWS)
            batches = [data.slice(start, CHUNK_ROWS) for start in starts]
        for batch in batches:
            self._add(_row_sums(batch, self._salts), batch.num_rows)

    def merge(self, other: TableDigest) -> None:
        """Add the rows that another digest has taken in."""
        self._expect(other._columns)
        self._add(other._sums, other.rows)

    def hexdigest(self) -> str:
        """Digest of the rows so far: 32 hexadecimal digits."""
        sums = [f"{lane:016x}" for lane in self._sums]
        seen = {"format": 1, "columns": self._columns, "rows": self.rows, "sums": sums}
        return hashlib.sha256(canonical_json(seen)).hexdigest()[:32]

    def _add(self, sums: tuple[int, int], rows: int) -> None:
        self._sums = ((self._sums[0] + sums[0]) & _MASK, (self._sums[1] + sums[1]) & _MASK)
        self.rows += rows

    def _expect(self, columns: list[list[str]]) -> None:
        if columns != self._columns:
            raise ValueError(f"columns {columns} are added to a digest of {self._columns}")


def table_digest(table: pa.Table) -> str:
    """Digest of a whole table: 32 hexadecimal digits."""
    digest = TableDigest(table.schema)
    digest.update(table)
    return digest.hexdigest()


def _row_sums(batch: pa.RecordBatch, salts: list[Words]) -> tuple[int, int]:
    """Sum over the rows of each row's two hashes (steps 4 and 5)."""
    rows_0, rows_1 = np.zeros((2, batch.num_rows), np.uint64)
    for column, salt in zip(batch.columns, salts, strict=True):
        # One cell is added to all rows as well as one each, and hashed in no time.
        cells_0, cells_1 = cells(column.slice(0, 1) if holds_one_value(column) else column, salt)
        rows_0 += cells_0
        rows_1 += cells_1
    return int(np.add.reduce(mix_0(rows_0))), int(np.add.reduce(mix_1(rows_1)))


def _columns(schema: pa.Schema) -> list[list[str]]:
    return [[field.name, logical(field.type)] for field in schema]


def _refuse_unknown_types(schema: pa.Schema) -> None:
    problems = Problems()
    for field in schema:
        if not is_known(field.type):
            problems.add(
                Code.TABLE_COLUMN_TYPE, f"column `{field.name}`", found=f"type {field.type}",
                expected="numbers, booleans, text, bytes, times, or lists of these",
                remedy="leave the column out or convert it before it is stored",
            )
    problems.raise_if_any()
