"""A table is cut into pieces that hold every row once, whatever stands in the column.

The oracle is SQLite: each piece's own condition is counted there.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.sources._adql import Column, select
from pz_tsm_core.sources._pieces import Slice, cut

FLOAT = ColumnSaid(kind="float")
COLUMNS = [Column(name, name, FLOAT, indexed=False) for name in ("a", "b")]

numbers = st.one_of(
    st.none(), st.sampled_from([0.0, -9.9, 1e-200, 1e35, -1e35, math.inf, -math.inf]),
    st.floats(-90, 90), st.floats(53.0, 53.25), st.floats(allow_nan=False),
).filter(lambda x: not x or abs(x) >= 1e-200)  # what is smaller may be 0 when it is scaled


class Database:
    """SQLite as a service that answers queries; it has no NaN."""

    def __init__(self, rows: list[tuple[float | None, float | None]]) -> None:
        self._base = sqlite3.connect(":memory:")
        self._base.row_factory = sqlite3.Row
        # An infinite number stays what it is, as in PostgreSQL.
        self._base.create_function("FLOOR", 1, lambda x: x if x is None or math.isinf(x)
                                   else float(math.floor(x)), deterministic=True)
        self._base.execute("CREATE TABLE t (a REAL, b REAL)")
        self._base.executemany("INSERT INTO t VALUES (?, ?)", rows)
        self.asked = 0

    def ask(self, query: str) -> list[dict[str, float]]:
        self.asked += 1
        return [dict(row) for row in self._base.execute(query)]

    def ids(self, one: Slice) -> list[int]:
        return [row["rowid"] for row in self.ask(select(["rowid"], "t", one.conditions))]

    def close(self) -> None:
        self._base.close()


def pieces(base: Database, rows: int, most: int, columns: list[Column]) -> list[Slice]:
    return cut(Slice((), rows), "t", columns, most, base.ask)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=80), st.integers(1, 20))
@example([(0.0, 0.0)] * 9, 4)
@example([(None, None)] * 9, 4)
@example([(math.inf, 1.0), (-math.inf, 2.0), (1e35, 3.0), (None, 4.0)] * 3, 2)
@example([(None, 1e35), (None, math.inf)], 1)
@example([(None, 64.0), (None, 64.0)], 1)
@example([(1e-200, 0.0), (0.0, 0.0), (-1e-200, 0.0)], 1)
def test_every_row_is_in_one_piece_of_the_size_that_was_told(rows, most) -> None:
    with closing(Database(rows)) as base:
        slices = pieces(base, len(rows), most, COLUMNS)
        found = [base.ids(one) for one in slices]
    assert sorted(one for ids in found for one in ids) == list(range(1, len(rows) + 1))
    assert [len(ids) for ids in found] == [one.rows for one in slices]


@given(st.lists(st.floats(0, 360), min_size=30, max_size=80, unique_by=lambda x: round(x, 5)))
def test_no_piece_is_larger_than_it_may_be_where_rows_differ(ras) -> None:
    with closing(Database([(ra, None) for ra in ras])) as base:
        slices = pieces(base, len(ras), 7, COLUMNS[:1])
    assert max(one.rows for one in slices) <= 7
    assert len(slices) <= 2 * len(ras) / 7 + 1


def test_a_field_as_dense_as_a_deep_one_is_divided_further() -> None:
    rows = [(-90 + n / 10, None) for n in range(1000)] + [(53 + n / 1e6, None) for n in range(5000)]
    with closing(Database(rows)) as base:
        slices = pieces(base, len(rows), 500, COLUMNS[:1])
        assert base.asked < 12
    assert max(one.rows for one in slices) <= 500
    assert sum(one.rows for one in slices) == len(rows)


def test_rows_of_one_value_are_told_apart_by_the_next_column() -> None:
    rows = [(-9.9, n / 7) for n in range(100)]
    with closing(Database(rows)) as base:
        assert [one.rows for one in pieces(base, 100, 30, COLUMNS[:1])] == [100]
        assert max(one.rows for one in pieces(base, 100, 30, COLUMNS)) <= 30


def test_a_short_table_is_left_whole() -> None:
    with closing(Database([(1.0, 1.0)] * 5)) as base:
        assert pieces(base, 5, 5, COLUMNS) == [Slice((), 5)]
        assert base.asked == 0


@pytest.fixture
def base() -> Iterator[Database]:
    base = Database([(n / 3, None) for n in range(99)])
    yield base
    base.close()


def test_conditions_of_the_whole_hold_in_every_piece(base: Database) -> None:
    inside = ("a BETWEEN 5 AND 20",)
    slices = cut(Slice(inside, 46), "t", COLUMNS[:1], 10, base.ask)
    assert sum(len(base.ids(one)) for one in slices) == 46
    assert all(one.conditions[:1] == inside for one in slices)
