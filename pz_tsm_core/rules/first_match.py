"""Rules in order: the first that holds decides, and none left is said explicitly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.rules.evaluate import Batch, batches
from pz_tsm_core.rules.expression import Expression
from pz_tsm_core.rules.tree import Node

ValueT = TypeVar("ValueT")
Index = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class FirstMatch(Generic[ValueT]):
    """Which rule decided each row.

    Parameters
    ----------
    index : the rule of each row, shape (n,), whole numbers; the number of rules for those that
        none decided
    choices : the value of each rule, and last the value otherwise
    """

    index: Index
    choices: tuple[ValueT, ...]

    @property
    def hits(self) -> tuple[int, ...]:
        """How many rows each rule decided, and last those that none did."""
        return tuple(np.bincount(self.index, minlength=len(self.choices)).tolist())

    def values(self, type_: pa.DataType) -> pa.Array:
        """The decided value of each row as an Arrow array."""
        return pa.array(list(self.choices), type_).take(pa.array(self.index))


def first_match(
    rules: Sequence[tuple[Expression, ValueT]], table: pa.Table, *, otherwise: ValueT
) -> FirstMatch[ValueT]:
    """Decide every row by the first rule that holds.

    Parameters
    ----------
    rules : conditions that fit the table, each with the value that it gives
    otherwise : the value where no rule holds

    Examples
    --------
    >>> from pz_tsm_core.rules import parse
    >>> table = pa.table({"Q": [4, 3, None]})
    >>> decided = first_match([(parse("Q >= 3"), 3), (parse("Q == 4"), 4)], table, otherwise=0)
    >>> decided.values(pa.int8()).to_pylist(), decided.hits
    ([3, 3, 0], (2, 0, 1))
    """
    index = np.empty(len(table), _smallest(len(rules)))
    trees = [condition.tree for condition, _ in rules]
    for batch in batches(table, trees):
        index[batch.rows] = _first(batch, trees, index.dtype)
    return FirstMatch(index, (*(value for _, value in rules), otherwise))


def _first(batch: Batch, trees: Sequence[Node], dtype: np.dtype[Any]) -> Index:
    """The first tree that holds for each row of a batch; their number where none does."""
    decided = np.full(batch.rows.stop - batch.rows.start, len(trees), dtype)
    left = decided == len(trees)
    for position, tree in enumerate(trees):
        holds = batch.mask(tree) & left
        np.putmask(decided, holds, position)
        left &= ~holds
        if not left.any():
            break
    return decided


def _smallest(rules: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if rules < 256 else np.int64)
