"""Cuts and computed columns against the same said in pandas."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.photometry import SelectPolicy
from pz_tsm_core.ops.selection import Kept, parse_selection, select_batches, selection_problems

NUMBERS = st.lists(st.tuples(*[st.none() | st.floats(15, 30)] * 3, st.integers(0, 1)), min_size=1)
POLICY = SelectPolicy(columns={"g_r": "mag_g - mag_r", "curve": "g_r - (mag_r - mag_i)"},
                      keep=("mag_i < 25.3", "g_r between -1 and 3", "ext == 1"))


def _table(rows) -> pa.Table:
    g, r, i, ext = (list(values) for values in zip(*rows, strict=True))
    kinds = [("mag_g", pa.float64()), ("mag_r", pa.float64()), ("mag_i", pa.float64()),
             ("ext", pa.float32())]
    return pa.table([g, r, i, ext], schema=pa.schema(kinds))


def _select(table, policy, kept=None, size=None):
    batches = table.to_batches(max_chunksize=size)
    return pa.Table.from_batches(select_batches(batches, policy, kept=kept))


@given(NUMBERS, st.integers(1, 4))
def test_rows_stay_that_pandas_keeps_and_every_other_is_counted_once(rows, size) -> None:
    frame = pd.DataFrame(rows, columns=["mag_g", "mag_r", "mag_i", "ext"]).astype(float)
    frame["g_r"] = frame.mag_g - frame.mag_r
    frame["curve"] = frame.g_r - (frame.mag_r - frame.mag_i)
    left, expected = frame, {}
    for text, cut in zip(POLICY.keep, (frame.mag_i < 25.3, frame.g_r.between(-1, 3),
                                       frame.ext == 1), strict=True):
        expected[text] = int((~cut[left.index]).sum())
        left = left[cut[left.index]]
    kept = Kept()
    stays = nullcontext() if len(left) else pytest.raises(TsmError, match=r"select\.empty")
    with stays:
        selected = _select(_table(rows), POLICY, kept, size)
    assert (kept.taken, kept.given, dict(kept.dropped)) == (len(frame), len(left), expected)
    for name in ("mag_i", "g_r", "curve") if len(left) else ():
        ours = selected[name].to_pandas().to_numpy()
        assert np.array_equal(ours, left[name].to_numpy(), equal_nan=True)


def test_a_missing_value_passes_no_cut_and_gives_no_number() -> None:
    table = pa.table({"a": [1.0, None, float("nan")], "b": [1.0, 1.0, 1.0]})
    policy = SelectPolicy(columns={"s": "a + b"})
    assert _select(table, policy)["s"].to_pylist() == [2.0, None, None]
    for cut in ("a != 5", "not (a == 5)", "s > 0"):
        assert len(_select(table, SelectPolicy(columns=policy.columns, keep=(cut,)))) == 1


def test_no_rows_in_is_no_mistake_and_none_left_of_some_is() -> None:
    table = pa.table({"a": [1.0, 2.0]})
    policy = SelectPolicy(keep=("a > 1", "a < 2"))
    nothing, = select_batches([pa.RecordBatch.from_pylist([], table.schema)], policy)
    assert len(nothing) == 0
    with pytest.raises(TsmError) as refused:
        _select(table, policy)
    assert refused.value.codes == (Code.SELECT_EMPTY,)
    assert "1 by a > 1, 1 by a < 2" in str(refused.value)


def test_every_mistake_of_a_selection_is_told_before_any_row_is_read() -> None:
    policy = SelectPolicy(columns={"a": "1", "c": "b - 'x'"}, keep=("d =", "b"))
    with pytest.raises(TsmError) as refused:
        parse_selection(policy)
    assert refused.value.codes == (Code.RULE_TYPE, Code.RULE_SYNTAX)
    schema = pa.schema({"a": pa.float64(), "b": pa.float64(), "t": pa.string()})
    policy = SelectPolicy(columns={"a": "b", "c": "bb + 1", "e": "c + t"}, keep=("b", "f > 1"))
    problems = selection_problems(parse_selection(policy), schema)
    assert [problem.code for problem in problems] == [
        Code.RECIPE_BAD_VALUE, Code.RULE_COLUMN, Code.RULE_TYPE, Code.RULE_TYPE, Code.RULE_COLUMN]


def test_columns_that_are_computed_are_not_read() -> None:
    assert parse_selection(POLICY).reads == {"mag_g", "mag_r", "mag_i", "ext"}


def test_a_computed_column_cannot_be_called_as_the_parts_of_the_set_are() -> None:
    selection = parse_selection(SelectPolicy(columns={"split": "z + 1"}))
    problem, = selection_problems(selection, pa.schema([("z", pa.float64())]))
    assert problem.code == Code.RECIPE_BAD_VALUE
    assert "select.columns.split" in problem.where
