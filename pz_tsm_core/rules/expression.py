"""A parsed rule: what it reads, whether it fits a table, what it says of every row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Problem
from pz_tsm_core.rules.check import Checker, Kind, column_kinds
from pz_tsm_core.rules.evaluate import Batch, batches
from pz_tsm_core.rules.parse import parse_tree
from pz_tsm_core.rules.tree import Column, Node


@dataclass(frozen=True)
class Expression:
    """A condition or a number computed from native columns.

    Parameters
    ----------
    text : as it was written
    tree : as it was understood
    kind : what it gives: true or false, or a number
    where : what to call it in messages
    """

    text: str
    tree: Node
    kind: Kind
    where: str = "rule"

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns that are read."""
        return frozenset(node.name for node in self.tree.walk() if isinstance(node, Column))

    def problems(self, schema: pa.Schema) -> tuple[Problem, ...]:
        """What keeps the expression from being evaluated over a table of this schema."""
        checker = Checker(self.text, self.where, column_kinds(schema))
        checker.require(self.tree, self.kind)
        return checker.problems.found

    def mask(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Whether the condition holds, for each row of a table that it fits; null is false."""
        masks = [batch.mask(self.tree) for batch in batches(table, (self.tree,))]
        return np.concatenate(masks) if masks else np.zeros(0, dtype=bool)

    def numbers(self, table: pa.Table) -> pa.Array:
        """The computed float64 for each row of a table that it fits; null where not known."""
        parts = [_floats(batch, self.tree) for batch in batches(table, (self.tree,))]
        return pa.concat_arrays(parts) if parts else pa.array([], pa.float64())


def _floats(batch: Batch, tree: Node) -> pa.Array:
    value = pc.cast(batch.value(tree), pa.float64(), safe=False)
    if isinstance(value, pa.Scalar):
        return pa.repeat(value, batch.rows.stop - batch.rows.start)
    return value


@lru_cache(maxsize=4096)
def parse(
    text: str,
    where: str = "rule",
    *,
    kind: Kind = Kind.TRUTH,
    columns: frozenset[str] | None = None,
) -> Expression:
    """Read a rule.

    Parameters
    ----------
    text : a condition, or with `kind=Kind.NUMBER` a formula
    where : what to call it in messages
    columns : the columns that it may read; None when that is not known yet

    Raises
    ------
    TsmError
        `rule.syntax` for what is no rule, `rule.type` for parts that can never be combined,
        `rule.unknown-column` for a column that is not among `columns`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rule = parse("ZWARN == 0 and SPECTYPE != 'STAR'")
    >>> sorted(rule.columns)
    ['SPECTYPE', 'ZWARN']
    >>> table = pa.table({"ZWARN": [0, 0, 4], "SPECTYPE": ["QSO", None, "QSO"]})
    >>> rule.mask(table)
    array([ True, False, False])
    """
    tree = parse_tree(text, where)
    kinds = None if columns is None else dict.fromkeys(columns, Kind.UNKNOWN)
    checker = Checker(text, where, kinds)
    checker.require(tree, kind)
    checker.problems.raise_if_any()
    return Expression(text, tree, kind, where)
