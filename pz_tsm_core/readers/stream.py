"""A table that is read as it is asked for, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from pz_tsm_core.readers.source import Source


@dataclass(frozen=True)
class TableStream:
    """Rows in the order of the file, batch by batch; to be gone through once.

    Parameters
    ----------
    schema : of every batch
    rows : how many come in all; None where only the last one tells
    """

    schema: pa.Schema
    rows: int | None
    batches: Iterator[pa.RecordBatch]

    def read_all(self) -> pa.Table:
        """All rows, held at once."""
        return pa.Table.from_batches(self.batches, self.schema)


def bounded(stream: TableStream, source: Source) -> TableStream:
    """The stream in batches no longer than asked for, of no more rows, and of no fewer than told.

    Raises
    ------
    TsmError
        `file.damaged`, at its end, for a stream of other length than it says of itself.
    """
    rows = None if stream.rows is None else source.at_most(stream.rows)
    batches = cut(stream.batches, source.batch_rows, source.first)
    return replace(stream, rows=rows, batches=_counted(batches, rows, source))


def cut(
    batches: Iterable[pa.RecordBatch], most: int, first: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The batches, none empty or longer than `most`; of the first so many rows alone."""
    left = first
    for batch in batches:
        wanted = batch if left is None else batch.slice(0, left)
        for start in range(0, len(wanted), most):
            yield wanted.slice(start, most)
        if left is not None:
            left -= len(wanted)
            if not left:
                return


def _counted(
    batches: Iterable[pa.RecordBatch], rows: int | None, source: Source
) -> Iterator[pa.RecordBatch]:
    there = 0
    for batch in batches:
        there += len(batch)
        yield batch
    if rows is not None and there != rows:
        raise source.damaged(f"{there} rows where it says {rows} of itself")
