"""Streams divided into parts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.sky.route import Router, in_parts

SCHEMA = pa.schema([("row", pa.int64())])


def _batches(rows: int, size: int):
    yield from pa.table({"row": np.arange(rows)}).to_batches(max_chunksize=size)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 20))
def test_every_part_gets_its_rows_in_the_order_of_the_stream(part, size):
    part = np.array(part, dtype=np.int64)
    router = Router(_batches(len(part), size), SCHEMA, part, 6)
    for number in range(6):
        assert router.take(number)["row"].to_pylist() == np.flatnonzero(part == number).tolist()


def test_a_stream_along_the_parts_is_read_no_farther_than_needed() -> None:
    read = []

    def stream():
        for batch in _batches(100, 10):
            read.append(len(batch))
            yield batch

    router = Router(stream(), SCHEMA, np.arange(100) // 20, 5)
    router.take(0)
    assert sum(read) == 20
    router.take(1)
    assert sum(read) == 40


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 20))
def test_equal_places_stay_together_and_parts_follow_them(place, rows):
    place = np.array(place, dtype=np.int64)
    part, parts = in_parts(place, rows)
    assert set(part.tolist()) == set(range(parts))
    order = np.argsort(place, kind="stable")
    assert (np.diff(part[order]) >= 0).all()
    for value in set(place.tolist()):
        assert len(set(part[place == value].tolist())) == 1
    largest = np.bincount(place).max(initial=0) if len(place) else 0
    assert (np.bincount(part, minlength=parts) < rows + max(largest, 1)).all()
