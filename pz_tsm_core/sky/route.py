"""A stream of rows divided into parts of the sky, each handed on as soon as it is whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.ops.runs import run_starts

Ints = npt.NDArray[np.int64]


class Router:
    """Takes a stream apart.

    Of a stream that follows the sky, as our own tables do, only the rows of a few parts are held
    at a time; of any other, whatever comes before it is asked for.

    Parameters
    ----------
    stream : rows in batches
    part : of each row of the stream, in its order, from 0, shape (n,)
    parts : how many there are
    """

    def __init__(
        self, stream: Iterator[pa.RecordBatch], schema: pa.Schema, part: Ints, parts: int
    ) -> None:
        self._stream, self._schema, self._part = stream, schema, part
        self._missing = np.bincount(part, minlength=parts)
        self._waiting: dict[int, list[pa.RecordBatch]] = {}
        self._read = 0

    def take(self, part: int) -> pa.Table:
        """The rows of a part, in the order of the stream; each part once."""
        while self._missing[part]:
            self._take_in(next(self._stream))
        return pa.Table.from_batches(self._waiting.pop(part, []), self._schema)

    def _take_in(self, batch: pa.RecordBatch) -> None:
        parts = self._part[self._read:self._read + len(batch)]
        self._read += len(batch)
        if (parts[1:] < parts[:-1]).any():
            order = np.argsort(parts, kind="stable")
            batch, parts = batch.take(pa.array(order)), parts[order]
        starts = run_starts(parts)
        for start, end in zip(starts, np.append(starts[1:], len(parts)), strict=True):
            rows = batch.slice(start, end - start)
            self._waiting.setdefault(int(parts[start]), []).append(rows)
            self._missing[parts[start]] -= len(rows)


def in_parts(place: Ints, rows: int) -> tuple[Ints, int]:
    """Divide rows into parts of about so many that lie next to each other in some order.

    Parameters
    ----------
    place : of each row in that order; equal places stay together, shape (n,)

    Returns
    -------
    part : of each row, from 0 in the order of the places, shape (n,)
    parts : how many there are
    """
    order = np.argsort(place, kind="stable")
    starts = run_starts(place[order])
    number = starts // rows  # of the part that a run of equal places begins in
    _, number = np.unique(number, return_inverse=True)
    part = np.empty(len(place), dtype=np.int64)
    part[order] = np.repeat(number, np.diff(np.append(starts, len(order))))
    return part, int(number.max(initial=-1)) + 1
