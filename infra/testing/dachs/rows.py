"""Rows of the test server's tables: what is hard about real redshift catalogues, known exactly.

Run by the system's Python to fill the server, and imported by the tests as the truth: integers
and IEEE arithmetic only, so that every version of everything makes the same rows.

    python3 rows.py redshifts | psql -c "COPY pztsm.redshifts FROM STDIN"
"""

import sys

import numpy as np

#: More than the server gives unasked.
ROWS = 60_000

#: Beyond 2**53: no float holds these ids.
FIRST_ID = 39_627_000_000_000_001

#: Text that breaks what quotes carelessly. Empty text is no text to a VOTable.
NAMES = ("plain", "Ångström ☉ 星", "a,b;c\td", "it's \"quoted\"", "<TD>&amp;</TD>", "  blanks  ",
         "back\\slash", "NULL", "nan")
FLAGS = ("1", "2", "3.5", "-9.9", None)

COLUMNS = ("id", "RAJ2000", "DEJ2000", "z", "e_z", "q", "flag", "Name", "is_primary")


def _chance(row, salt):
    """Uniform integers below 2**32, the same for ever: splitmix64 of the row number."""
    with np.errstate(over="ignore"):
        x = (row.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(32)).astype(np.int64)


def _uniform(row, salt, low, high):
    return low + (high - low) * (_chance(row, salt) / 2.0**32)


def redshifts(rows=ROWS):
    """The survey, as lists by column name; None for null.

    Half the sky around ra 0, a dense field, a few rows at the poles, beyond 360 and without a
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
    return {
        "id": [FIRST_ID + 2 * int(n) for n in row],
        "RAJ2000": _lists(ra, lost),
        "DEJ2000": _lists(dec, lost),
        "z": _lists(z, row % 97 == 5, row % 89 == 3),
        "e_z": _lists(_uniform(row, 6, 0.0, 0.001), row % 2 == 0),
        "q": _lists(_chance(row, 7) % 6 - 1, row % 13 == 4),
        "flag": [FLAGS[n % len(FLAGS)] for n in row],
        "Name": [None if n % 11 == 2 else f"{NAMES[n % len(NAMES)]} {n}" for n in row],
        "is_primary": _lists(_chance(row, 8) % 4 > 0, row % 17 == 9),
    }


def classes(rows=ROWS):
    """A second table of the same objects, which joins on `id`."""
    row = np.arange(rows)
    return {"id": [FIRST_ID + 2 * int(n) for n in row],
            "class": [("GALAXY", "QSO", "STAR")[n] for n in _chance(row, 9) % 3]}


def _lists(values, null, nan=None):
    """Python values: None where null; not a number where `nan`."""
    given = values.tolist() if values.dtype != np.float32 else [float(v) for v in values]
    if nan is not None:
        given = [float("nan") if no else one for one, no in zip(given, nan)]
    return [None if no else one for one, no in zip(given, null)]


TABLES = {"redshifts": redshifts, "classes": classes}


def write(name, file):
    """Write a table as PostgreSQL's COPY reads it."""
    for values in zip(*TABLES[name]().values()):
        file.write("\t".join(map(_copied, values)) + "\n")


def _copied(value):
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    write(sys.argv[1], sys.stdout)
