"""Rows of the test server's tables: what is hard about real redshift catalogues, known exactly.

Run by the system's Python to fill the server, and imported by the tests as the truth: integers
and IEEE arithmetic only, so that every version of everything makes the same rows.

    python3 rows.py redshifts | psql -c "COPY pztsm.redshifts FROM STDIN"
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

import numpy as np

#: More than the server gives unasked.
ROWS = 60_000

#: Beyond 2**53: no float holds these ids.
FIRST_ID = 39_627_000_000_000_001

#: Text that breaks what quotes carelessly.
NAMES = ("plain", "Ångström ☉ 星", "a,b;c\td", "it's \"quoted\"", "<TD>&amp;</TD>", "  blanks  ",
         "back\\slash", "NULL", "nan")
FLAGS = ("1", "2", "3.5", "-9.9", None)

Columns = dict[str, list[Any]]


def redshifts(rows: int = ROWS) -> Columns:
    """The survey, by column name; None for null.

    Half the sky around ra 0, a dense field, a few rows at the poles, at ra 360, and without a
    position; nulls in whole numbers, floats and text; NaN; a sentinel that a third of `z` has.
    """
    row = np.arange(rows)
    ra = _uniform(row, 1, -90.0, 90.0) % 360.0
    dec = _uniform(row, 2, -60.0, 30.0)
    dense = row % 3 == 0
    ra[dense] = _uniform(row, 3, 53.0, 53.25)[dense]
    dec[dense] = _uniform(row, 4, -28.25, -28.0)[dense]
    for place, position in enumerate([(0.0, 0.0), (360.0, 0.0), (359.9999999, 1.0), (0.0, 90.0),
                                      (12.5, -90.0), (180.0, -89.99999)]):
        ra[place], dec[place] = position
    lost = row % 101 == 7
    z = _uniform(row, 5, 0.0, 1.5).astype(np.float32)
    z[row % 3 == 1] = np.float32(-9.9)
    z[row % 89 == 3] = np.nan
    return {
        "id": _ids(row),
        "RAJ2000": _nulled(ra, lost),
        "DEJ2000": _nulled(dec, lost),
        "z": _nulled(z, row % 97 == 5),
        "e_z": _nulled(_uniform(row, 6, 0.0, 0.001), row % 2 == 0),
        "q": _nulled(_chance(row, 7) % 6 - 1, row % 13 == 4),
        "flag": [FLAGS[n % len(FLAGS)] for n in row],
        "Name": [None if n % 11 == 2 else f"{NAMES[n % len(NAMES)]} {n}" for n in row],
        "is_primary": _nulled(_chance(row, 8) % 4 > 0, row % 17 == 9),
    }


def classes(rows: int = ROWS) -> Columns:
    """A second table of the same objects, which joins on `id`."""
    row = np.arange(rows)
    return {"id": _ids(row), "class": [("GALAXY", "QSO", "STAR")[n] for n in _chance(row, 9) % 3]}


def _chance(row: np.ndarray, salt: int) -> np.ndarray:
    """Whole numbers below 2**32, the same for ever: splitmix64 of the row number."""
    with np.errstate(over="ignore"):
        x = (row.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(32)).astype(np.int64)


def _uniform(row: np.ndarray, salt: int, low: float, high: float) -> np.ndarray:
    return low + (high - low) * (_chance(row, salt) / 2.0**32)


def _ids(row: np.ndarray) -> list[int]:
    return [FIRST_ID + 2 * int(n) for n in row]


def _nulled(values: np.ndarray, null: np.ndarray) -> list[Any]:
    """Python values, None where null."""
    return [None if no else one for one, no in zip(values.tolist(), null, strict=True)]


TABLES = {"redshifts": redshifts, "classes": classes}


def write(table: Columns, file: TextIO) -> None:
    """Write a table as PostgreSQL's COPY reads it."""
    for values in zip(*table.values(), strict=True):
        file.write("\t".join(map(_copied, values)) + "\n")


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    write(TABLES[sys.argv[1]](), sys.stdout)
