"""The TAP service of the tests: DaCHS with PostgreSQL, and the truth about its tables."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import requests

HOME = Path(__file__).parents[2] / "infra" / "testing" / "dachs"

#: Where it listens, as its configuration says.
URL = next(line.split()[-1] for line in (HOME / "gavo.rc").read_text("utf-8").splitlines()
           if line.startswith("serverURL")) + "/tap"
HOST = URL.split("/")[2]

TYPES = {"id": pa.int64(), "RAJ2000": pa.float64(), "DEJ2000": pa.float64(), "z": pa.float32(),
         "e_z": pa.float64(), "q": pa.int16(), "flag": pa.string(), "Name": pa.string(),
         "is_primary": pa.bool_(), "class": pa.string()}


def running() -> None:
    """See that it runs; skip the test where it does not, and cannot be started.

    Whoever starts it leaves it running: tests side by side share it.
    """
    if shutil.which("dachs") and os.geteuid() == 0:
        subprocess.run([HOME / "serve"], check=True, timeout=200, stdin=subprocess.DEVNULL)
    try:
        requests.get(f"{URL}/availability", timeout=5).raise_for_status()
    except requests.RequestException:
        pytest.skip(f"no TAP service at {URL}: `infra/testing/dachs/serve install` as root")


@cache
def truth(table: str = "redshifts") -> pa.Table:
    """The rows of a table, in the order of ids."""
    spec = spec_from_file_location("rows", HOME / "rows.py")
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    columns = made.TABLES[table]()
    return as_told({name: pa.array(values, TYPES[name]) for name, values in columns.items()})


def as_told(columns: dict[str, pa.Array]) -> pa.Table:
    """Rows as every VOTable can tell them, in the order of ids.

    A missing float is NaN, a missing text is empty, and blanks around a text may be lost.
    """
    table = pa.table({
        name: values.fill_null(float("nan")) if pa.types.is_floating(values.type)
        else pc.utf8_trim_whitespace(values.fill_null("")) if pa.types.is_string(values.type)
        else values for name, values in columns.items()})
    return table.sort_by("id")


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables have equal columns and rows, NaN being equal to NaN."""
    return one.column_names == other.column_names and all(
        one[name].combine_chunks().to_pandas().equals(other[name].combine_chunks().to_pandas())
        for name in one.column_names)
