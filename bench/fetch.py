"""Time the retrieval of a survey against the bare clients of its protocols: `make bench-fetch`.

One JSON object a line, for half a million rows and for five million: from the TAP service of the
tests (infra/testing/dachs/serve, which runs as root) beside pyvo; from rclone's S3 server, as FITS
and as Parquet, beside s3fs and astropy or pyarrow. Ours ends with a checked artifact in a store,
the rivals with a table in memory or, where they are said to keep it, with a Parquet file of the
same kind. `fetch.py tap` or `fetch.py s3` does one part.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from apart import Work, be_child, compare, summed

SERVER = Path(__file__).parents[1] / "infra" / "testing" / "dachs" / "serve"
URL = "http://127.0.0.1:18942/tap"
COLUMNS = ("id", "RAJ2000", "DEJ2000", "z", "e_z", "q", "flag", "Name", "is_primary")

#: A tenth of the table, and all of it: smallest and largest dec.
SIZES = {"half a million": (-23.0, -10.0), "five million": None}
ROWS = {"half a million": 500_000, "five million": 5_000_000}

SURVEY = """\
schema: 1
key: many
ordinal: 1000000
name: Rows of the test server
facility: none
release: R1
year: 2026
sources: [{source}]
types: {{id: int, RAJ2000: float, DEJ2000: float, z: float, e_z: float, q: int, flag: text,
        Name: text, is_primary: bool}}
columns:
  id: {{from: id}}
  ra: {{from: RAJ2000, unit: deg}}
  dec: {{from: DEJ2000, unit: deg}}
  z: {{from: z}}
  z_err: {{from: e_z}}
  native_flag: {{from: flag}}
  others: [q, Name, is_primary]
quality: {{otherwise: 0, source: made up}}
object_class: {{otherwise: unknown, source: made up}}
instrument_type: {{otherwise: s, source: made up}}
"""


def main(*asked: str) -> None:
    """Fetch from every kind of server in both ways, first few rows and then many."""
    for part in asked or PARTS:
        PARTS[part]()


def _tap() -> None:
    subprocess.run([SERVER, "many"], check=True)
    os.environ["PZ_TSM_ALLOW_HOSTS"] = URL.split("/")[2]
    for size in SIZES:
        compare(__file__, "fetch tap", "ours from tap", "pyvo", size)


def _s3() -> None:
    import pytest

    from tests.sources.s3_servers import s3_server

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        bucket = Path(folder) / "many"
        bucket.mkdir()
        for size in ROWS:
            subprocess.run([sys.executable, __file__, "write", size, bucket], check=True,
                           stdout=subprocess.DEVNULL)
        with s3_server(Path(folder)) as server:
            server.allow(environment)
            for ending in ("fits", "parquet"):
                for rows, rival in product(ROWS.values(), ("s3fs reads", "s3fs reads and keeps")):
                    compare(__file__, f"fetch s3 {ending}", "ours from s3", rival,
                            f"many/{rows}.{ending}")


def _ours(source: str, dec: tuple[float, float] | None = None) -> Work:
    """What fetches the survey into a store of its own."""
    from pz_tsm_core.model.retrieval import Wanted
    from pz_tsm_core.model.survey import Region
    from pz_tsm_core.remote import Reach
    from pz_tsm_core.retrieval import fetch_survey
    from pz_tsm_core.sources import SERVICES
    from pz_tsm_core.store import open_store
    from pz_tsm_core.surveys.definition import parse_survey

    survey = parse_survey(SURVEY.format(source=source), "many.yaml")
    SERVICES[survey.sources[0].service]
    wanted = Wanted(region=Region(box=(0, 360, *dec))) if dec else Wanted()

    def fetch() -> Iterator[dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(folder)
            fetched = fetch_survey(store, survey, wanted, reach=Reach())
            yield {}
            batches = store.batches(fetched.ref, fetched.version.table, ["id", "z", "Name"])
            yield summed({name: batch[name].to_numpy(zero_copy_only=False)
                          for name in batch.schema.names} for batch in batches)

    return fetch


def _ours_from_tap(size: str) -> Work:
    return _ours(f'{{service: tap, url: "{URL}", table: pztsm.many}}', SIZES[size])


def _ours_from_s3(key: str) -> Work:
    import s3fs  # imports that a retrieval does where it needs them

    assert s3fs
    return _ours(f'{{service: s3, url: "s3://{key}"}}')


def _pyvo(size: str) -> Work:
    """What fetches the same rows as the documentation of pyvo says."""
    import pyvo

    words = ", ".join(name if name.islower() else f'"{name}"' for name in COLUMNS)
    dec = SIZES[size]
    where = f' WHERE "DEJ2000" BETWEEN {dec[0]} AND {dec[1]}' if dec else ""

    def fetch() -> Iterator[dict[str, Any]]:
        service = pyvo.dal.TAPService(URL)
        table = service.run_async(f"SELECT {words} FROM pztsm.many{where}",
                                  maxrec=10_000_000).to_table()
        yield {}
        yield summed([{name: np.ma.getdata(table[name]) for name in ("id", "z", "Name")}])

    return fetch


def _s3fs(key: str, *, keep: bool = False) -> Work:
    """What fetches a file and reads all of it; and writes it as the store does, unchecked."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import s3fs
    from astropy.table import Table

    from pz_tsm_core.store.tables import PARQUET

    def read(file: Path) -> Any:
        if file.suffix == ".parquet":
            return pq.read_table(file)
        table = Table.read(file)
        return pa.Table.from_pandas(table.to_pandas()) if keep else table

    def fetch() -> Iterator[dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(key).name
            s3fs.S3FileSystem().get_file(key, file)
            table = read(file)
            if keep:
                pq.write_table(table, file.with_suffix(".kept"), **PARQUET)
            yield {}
            yield summed([{name: np.asarray(table[name]) for name in ("id", "z", "Name")}])

    return fetch


def _s3fs_keeps(key: str) -> Work:
    return _s3fs(key, keep=True)


def _write(size: str, bucket: str) -> Work:
    """Write the files that are fetched: made-up rows, as FITS and as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from astropy.table import Table

    def write() -> Iterator[dict[str, Any]]:
        chance, rows = np.random.default_rng(5), ROWS[size]
        number = np.arange(rows)
        columns = {
            "id": chance.permutation(rows) + 2**40, "RAJ2000": chance.uniform(0, 360, rows),
            "DEJ2000": np.degrees(np.arcsin(chance.uniform(-1, 1, rows))),
            "z": np.where(number % 10, chance.gamma(2, 0.4, rows), np.nan),
            "e_z": chance.exponential(3e-4, rows).astype("f4"),
            "q": chance.integers(0, 5, rows).astype("i2"),
            "flag": np.array(["A", "B", "C9"])[chance.integers(0, 3, rows)],
            "Name": np.char.add("field ", (number // 1000).astype("U7")),
            "is_primary": chance.random(rows) < 0.9,
        }
        Table(columns).write(f"{bucket}/{rows}.fits")
        pq.write_table(pa.table(columns), f"{bucket}/{rows}.parquet")
        yield {}
        yield {"rows": rows}

    return write


PARTS = {"tap": _tap, "s3": _s3}

#: What processes do after their imports.
WORKS = {"ours from tap": _ours_from_tap, "pyvo": _pyvo, "ours from s3": _ours_from_s3,
         "s3fs reads": _s3fs, "s3fs reads and keeps": _s3fs_keeps, "write": _write}


if __name__ == "__main__":
    be_child(WORKS) if len(sys.argv) > 1 and sys.argv[1] in WORKS else main(*sys.argv[1:])
