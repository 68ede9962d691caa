"""Files cut anywhere, or with flipped bytes: a refusal or a table, never anything else.

Most examples run in this process, through the very function that the confined process runs
(`child.streamed`); a few go all the way through. HDF5 is a library in C whose format has no
checksums: its flips run in batches in processes of their own, so that a crash is seen as one.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import FORMATS, confined, read_table
from pz_tsm_core.readers.child import streamed

LIMITS = Limits(max_memory=2**28)

ROWS = Table({
    "id": MaskedColumn([2**53 + 1, -5, 7], mask=[False, True, False]),
    "z": np.array([0.5, np.nan, 3.25]), "name": ["a", "b c", "long name"],
    "good": [True, False, True],
})


def written(name: str, folder: Path) -> Path:
    path = folder / name / f"t.{name.partition(' ')[0]}"
    path.parent.mkdir()
    match name:
        case "csv":
            pa.csv.write_csv(pa.table({"id": [2**53 + 1, 7], "z": [0.5, 3.25]}), path)
        case "parquet":
            pq.write_table(pa.table({"id": [2**53 + 1, 7], "s": ["a", None]}), path)
        case "ecsv":
            ROWS.write(path)
        case "h5 records":
            ROWS.write(path, path="data", serialize_meta=True)
        case "h5 columns":
            import h5py

            with h5py.File(path, "w") as file:
                file["g/id"], file["g/z"] = [1, 2], [0.5, 0.25]
                file.create_dataset("g/s", data=["a", "ζ"], dtype=h5py.string_dtype())
        case "fits":
            ROWS.write(path)
        case _:
            path = path.with_suffix(".xml")
            document = from_table(ROWS)
            document.get_first_table().fields[0].values.null = -99
            writeto(document, str(path), tabledata_format=name.partition(" ")[2])
    return path


NAMES = ["csv", "parquet", "ecsv", "fits", "h5 records", "h5 columns",
         "votable tabledata", "votable binary", "votable binary2"]

REFUSALS = {Code.FILE_DAMAGED, Code.FILE_FORMAT, Code.FILE_LIMIT, Code.TABLE_EMPTY,
            Code.TABLE_COLUMN_TYPE, Code.TABLE_DUPLICATE_COLUMN}

#: Formats of text that do not say how many rows there are: what is cut off is not missed.
OPEN_ENDED = ("csv", "ecsv")


@pytest.fixture(scope="module", autouse=True)
def unconfined() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confined, "stream", lambda name, source: streamed(
            FORMATS[name].reader(), source))
        yield


@functools.cache
def whole(name: str, folder: Path) -> tuple[Path, bytes, pa.Table]:
    path = written(name, folder)
    return path, path.read_bytes(), read_table(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("files")


def outcome(path: Path, data: bytes) -> pa.Table | None:
    """The table, or None when it was refused in order; anything else fails the test."""
    aside = path.with_name(f"spoilt{path.suffix}")
    aside.write_bytes(data)
    try:
        return read_table(aside, limits=LIMITS)
    except TsmError as error:
        if set(error.codes) <= REFUSALS:
            return None
        raise


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150)
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused_or_whole(folder, name, data) -> None:
    path, content, table = whole(name, folder)
    length = data.draw(st.integers(0, len(content) - 1))
    cut = outcome(path, content[:length])
    if cut is None:
        return
    if name in OPEN_ENDED:
        before = len(cut) - 1  # the last row may have lost its end
        assert cut.column_names == table.column_names
        assert repr(cut.slice(0, before).to_pylist()) == repr(
            table.slice(0, before).to_pylist())
    else:
        assert repr(cut.to_pylist()) == repr(table.to_pylist())


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("h5")])
@settings(max_examples=150)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
                      min_size=1, max_size=4))
def test_flipped_bytes_raise_nothing_but_refusals(folder, name, flips) -> None:
    path, content, _ = whole(name, folder)
    spoilt = bytearray(content)
    for place, bits in flips:
        spoilt[int(place * len(spoilt))] ^= bits
    outcome(path, bytes(spoilt))


BATCH = """
import random, signal, sys
from pathlib import Path
from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import FORMATS
from pz_tsm_core.readers.child import streamed
from pz_tsm_core.readers.source import Source

path, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
content, spoilt = path.read_bytes(), path.with_name("spoilt.h5")
reader = FORMATS["hdf5"].reader()
for seed in range(first, last):
    rng, data = random.Random(seed), bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    spoilt.write_bytes(data)
    signal.alarm(3)
    try:
        with streamed(reader, Source(spoilt, None, Limits(max_memory=2**26), "t")) as stream:
            table = stream.read_all()
        table.validate(full=True)
        print("read", flush=True)
    except TsmError as error:
        print(error.codes[0], flush=True)
    signal.alarm(0)
"""


@pytest.mark.parametrize("name", ["h5 records", "h5 columns"])
def test_flipped_bytes_of_hdf5_raise_nothing_but_refusals(folder, name) -> None:
    path, _, _ = whole(name, folder)
    told: list[str] = []
    while len(told) < 300:
        done = subprocess.run(
            [sys.executable, "-c", BATCH, str(path), str(len(told)), "300"],
            capture_output=True, text=True, check=False)
        assert done.returncode <= 0, done.stderr
        told += done.stdout.split()
        if done.returncode < 0:  # HDF5 crashed or went round for ever: the process has to bear it
            told.append(f"signal {-done.returncode}")
    assert {code for code in told if not code.startswith("signal")} <= {"read", *REFUSALS}
    assert sum(code != "read" for code in told) > 30


@pytest.mark.parametrize("name", ["ecsv", "h5 records", "votable binary2"])
def test_spoilt_files_are_refused_all_the_way(folder, name, monkeypatch) -> None:
    path, content, table = whole(name, folder)
    monkeypatch.setattr(confined, "stream", CONFINED)
    assert repr(outcome(path, content).to_pylist()) == repr(table.to_pylist())
    assert outcome(path, content[: len(content) // 3]) is None
    middle = len(content) // 2
    outcome(path, content[:middle] + b"\xff\x00\xfe" + content[middle + 3:])


CONFINED = confined.stream
