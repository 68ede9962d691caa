"""Rules in order: the first that holds decides, and none left is said explicitly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.rules.expression import Expression

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class FirstMatch(Generic[ValueT]):
    """Which rule decided each row.

    Parameters
    ----------
    index : the rule of each row, shape (n,); the number of rules for those that none decided
    choices : the value of each rule, and last the value otherwise
    """

    index: npt.NDArray[np.intp]
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
    index = np.full(len(table), len(rules), dtype=np.intp)
    for position in reversed(range(len(rules))):
        index[rules[position][0].mask(table)] = position
    return FirstMatch(index, (*(value for _, value in rules), otherwise))
