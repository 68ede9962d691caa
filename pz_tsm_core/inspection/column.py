"""One column of a table of somebody else, and what can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["number", "text", "truth"]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Column:
    """A column in its place, with what the file says of it; values are looked at when asked for.

    Parameters
    ----------
    place : from 0, in the order of the file
    """

    place: int
    field: pa.Field
    values: pa.ChunkedArray

    @property
    def name(self) -> str:
        """As the file has it."""
        return str(self.field.name)

    def told(self, key: str) -> str:
        """What the file itself says: `unit`, `ucd` or `description`; empty where it is silent."""
        found = (self.field.metadata or {}).get(key.encode(), b"")
        return str(found.decode("utf-8", "replace")).strip()

    @property
    def kind(self) -> Kind | None:
        """What the values are; None for what no rule or column of a survey can use."""
        type_ = self.field.type
        if pa.types.is_integer(type_) or pa.types.is_floating(type_):
            return "number"
        if pa.types.is_boolean(type_):
            return "truth"
        return "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else None

    @cached_property
    def numbers(self) -> Floats:
        """Values of a column of numbers as float64; NaN for null."""
        values = pc.cast(self.values, pa.float64(), safe=False)
        return np.asarray(pc.fill_null(values, np.nan), dtype=np.float64)

    @cached_property
    def finite(self) -> Floats:
        """The numbers that are neither null, NaN nor infinite."""
        return self.numbers[np.isfinite(self.numbers)]

    @cached_property
    def empty(self) -> int:
        """Rows with null or NaN."""
        nans = np.isnan(self.numbers).sum() if self.kind == "number" else self.values.null_count
        return int(nans)

    @cached_property
    def bounds(self) -> tuple[int | float, int | float] | None:
        """Smallest and largest of the finite numbers, whole ones exactly; None without any."""
        if self.kind != "number" or not len(self.finite):
            return None
        if pa.types.is_integer(self.field.type):
            ends = pc.min_max(self.values).as_py()
            return ends["min"], ends["max"]
        return float(self.finite.min()) + 0.0, float(self.finite.max()) + 0.0  # no -0

    @cached_property
    def counts(self) -> dict[Any, int]:
        """How often each value stands in the column, the most frequent first; null is no value."""
        found = pc.value_counts(self.values.drop_null())
        pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(),
                    strict=True)
        sound = [(value, count) for value, count in pairs if value == value]  # noqa: PLR0124 - NaN
        return dict(sorted(sound, key=lambda pair: (-pair[1], str(pair[0]))))

    @cached_property
    def distinct(self) -> int:
        """How many different values there are; NaN is none, and -0 is 0."""
        if pa.types.is_floating(self.field.type):
            return len(np.unique(self.numbers[~np.isnan(self.numbers)]))
        return int(pc.count_distinct(self.values).as_py())

    @cached_property
    def is_whole(self) -> bool:
        """Whether every number of it is a whole one."""
        return self.kind == "number" and bool(np.all(self.finite == np.trunc(self.finite)))

    def share(self, low: float, high: float) -> float:
        """Share of the finite values from `low` to `high`, both included; 0 when there is none."""
        within = (self.finite >= low) & (self.finite <= high)
        return float(within.mean()) if len(within) else 0.0


def columns_of(table: pa.Table) -> tuple[Column, ...]:
    """The columns of a table, in its order."""
    return tuple(Column(place, field, table.column(place))
                 for place, field in enumerate(table.schema))


def shown(value: Any) -> str:
    """A number as people write it: as many digits as tell, no more than seven."""
    return f"{value:.7g}" if isinstance(value, float | np.floating) else str(value)
