"""Positions of a catalogue: every row has one, on the sphere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, Problems

#: Odd positions that a refusal names.
_SHOWN = 3


def check_positions(table: pa.Table, ra: str, dec: str, labels: Sequence[object]) -> None:
    """Refuse rows without a position, or with one that is not on the sphere.

    Parameters
    ----------
    labels : what each row is called, shape (n,)

    Raises
    ------
    TsmError
        `position.out-of-range`; `table.column-type` for a column that holds no numbers.
    """
    problems = Problems()
    for name, low, high, open_end in ((ra, 0.0, 360.0, True), (dec, -90.0, 90.0, False)):
        kind = table[name].type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            problems.add(Code.TABLE_COLUMN_TYPE, f"column {name}", found=str(kind),
                         expected="degrees, as numbers", remedy="convert the column")
            continue
        values = pc.fill_null(table[name].cast(pa.float64(), safe=False), np.nan).to_numpy()
        with np.errstate(invalid="ignore"):
            good = (values >= low) & ((values < high) if open_end else (values <= high))
        if not good.all():
            odd = np.flatnonzero(~good)
            shown = ", ".join(f"{labels[row]} {table[name][row].as_py()}"
                              for row in odd[:_SHOWN].tolist())
            problems.add(
                Code.POSITION_RANGE, f"column {name}",
                found=f"{len(odd)} rows without one or outside, such as {shown}",
                expected=f"{low:g} <= {name} <{'' if open_end else '='} {high:g} degrees",
                remedy="correct or remove these rows; for RA, add or take off 360")
    problems.raise_if_any()
