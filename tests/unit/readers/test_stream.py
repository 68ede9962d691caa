"""A table batch by batch is the table, however it is divided; and length costs no memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core import tables
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import (
    from_csv,
    from_fits,
    from_hdf5,
    from_votable,
    open_table,
    read_table,
)
from pz_tsm_core.readers.types_of_text import Possible, cast
from pz_tsm_core.sky.read import open_hats, read_hats
from pz_tsm_core.sky.write import write_table_as_collection
from tests.unit.readers.test_same_table import CASES, SCHEMA, without_nulls


def outcome(path: Path, **options) -> pa.Table | TsmError:
    """The whole table, or why it is refused."""
    try:
        return read_table(path, **options)
    except TsmError as error:
        return error


def in_batches(path: Path, rows: int, **options) -> pa.Table | TsmError:
    """The same by `open_table`, whose promises of lengths are looked at on the way."""
    try:
        with open_table(path, rows=rows, **options) as stream:
            batches = list(stream.batches)
    except TsmError as error:
        return error
    assert all(1 <= len(batch) <= rows for batch in batches)
    assert stream.rows in (None, sum(map(len, batches)))
    return pa.Table.from_batches(batches, stream.schema)


def assert_equal(one: pa.Table | TsmError, other: pa.Table | TsmError) -> None:
    if isinstance(other, TsmError):
        assert isinstance(one, TsmError)
        assert one.problems == other.problems
    else:
        assert one.schema.equals(other.schema, check_metadata=True)
        assert bits(one).equals(bits(other))


def bits(table: pa.Table) -> pa.Table:
    """The table with its floats as integers: NaN equals NaN, and -0.0 is not 0.0."""
    columns = [column.combine_chunks() for column in table.columns]
    return pa.table([column.view(f"int{column.type.bit_width}")
                     if pa.types.is_floating(column.type) else column for column in columns],
                    table.column_names)


@pytest.mark.usefixtures("unconfined")
@pytest.mark.parametrize(("rows", "first"), [(1, 300), (7, None), (1000, None)])
@pytest.mark.parametrize("folder", ["ingest/test_formats", "specz"])
def test_batches_of_a_sample_make_up_the_table(shared_data, folder, rows, first) -> None:
    for path in sorted((shared_data / folder).iterdir()):
        assert_equal(in_batches(path, rows, first=first), outcome(path, first=first))


VALUES = {
    "objectId": st.integers(-(2**63), 2**63 - 1),
    "ra": st.floats(allow_infinity=False),
    "visits": st.integers(-(2**15), 2**15 - 1),
    "mag": st.floats(width=32, allow_infinity=False),
    "name": st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5),
    "good": st.booleans(),
}



def rows_of(*, nulls: bool) -> st.SearchStrategy[pa.Table]:
    """Up to 30 rows of the columns of `SCHEMA`."""
    values = [st.none() | VALUES[name] if nulls else VALUES[name] for name in SCHEMA.names]
    rows = st.lists(st.tuples(*values), min_size=1, max_size=30)
    return rows.map(lambda rows: pa.table(list(map(list, zip(*rows, strict=True))), schema=SCHEMA))


@pytest.mark.usefixtures("unconfined")
@pytest.mark.parametrize("case", CASES)
@settings(max_examples=20)
@given(data=st.data(), rows=st.sampled_from([1, 7, 1000]))
def test_where_a_file_is_divided_makes_no_difference(case, data, rows, tmp_path_factory) -> None:
    """Parts of some bytes or rows instead of millions; a table, or the refusal of it."""
    how = CASES[case]
    table = data.draw(rows_of(nulls=without_nulls not in how.given))
    for change in set(how.given) - {without_nulls}:
        table = change(table)
    path = tmp_path_factory.getbasetemp() / f"divided{how.suffix}"
    path.unlink(missing_ok=True)
    how.write(table, path)
    whole = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_fits, "CHUNK", 100)
        patch.setattr(from_csv, "BLOCK_BYTES", 400)
        patch.setattr(from_hdf5, "BATCH_ROWS", 3)
        patch.setattr(from_votable, "CHUNK", 100)
        assert_equal(in_batches(path, rows), whole)


#: Words of a column of text that an int64, a uint64, a truth value and a float hold.
WORDS = {
    "1": "iuf", "-0": "if", "-5": "if", " 7 ": "iuf", "9223372036854775807": "iu",
    "18446744073709551615": "u", "-9223372036854775808": "i", "99999999999999999999": "",
    "007": "", "123456789012345": "iuf", "1234567890123456": "iu", "1.5": "f", "-2e5": "f",
    "0.1234567890123456789": "f", "true": "b", "False": "b", "TRUE": "b", "x": "", " ": "",
}
HELD_BY = {"i": pa.int64(), "u": pa.uint64(), "b": pa.bool_(), "f": pa.float64()}


@settings(max_examples=300)
@given(parts=st.lists(st.lists(st.none() | st.sampled_from(sorted(WORDS)), max_size=4)),
       few=st.sets(st.sampled_from(sorted(WORDS)), min_size=1, max_size=3))
def test_the_type_of_text_is_the_narrowest_that_holds_every_word(parts, few) -> None:
    parts = [[word if word in few else None for word in part] for part in parts]
    words = [word for part in parts for word in part if word is not None]
    holding = [kind for mark, kind in HELD_BY.items() if all(mark in WORDS[w] for w in words)]
    expected = holding[0] if holding else pa.string()
    possible = Possible()
    for part in parts:
        possible.see(pa.array(part, pa.string()))
    assert possible.type == (expected if words else pa.null())
    for part in parts:
        typed = cast(pa.array(part, pa.string()), possible.type)
        assert typed.type == possible.type
        assert typed.is_valid().to_pylist() == [word is not None for word in part]


def written(path: Path, rows: int) -> Path:
    """A table of random values: an id, ten floats and a text, 94 bytes a row or more."""
    rng = np.random.default_rng(1)
    columns = {"id": rng.integers(0, 2**62, rows)}
    columns |= {f"x{number}": rng.uniform(0, 360, rows) for number in range(10)}
    columns["name"] = rng.integers(100_000, 999_999, rows).astype("U6")
    match path.suffix:
        case ".fits":
            plain = [column.astype("S6") if name == "name" else column
                     for name, column in columns.items()]
            fits.BinTableHDU(np.rec.fromarrays(plain, names=list(columns))).writeto(path)
        case ".parquet":
            pq.write_table(pa.table(columns), path, row_group_size=rows, use_dictionary=False)
        case ".csv":
            pa.csv.write_csv(pa.table(columns), path)
        case _:
            fields = "".join(f"<FIELD name='{name}' datatype='{kind}'/>" for name, kind in zip(
                columns, ["long", *["double"] * 10, "int"], strict=True))
            values = zip(*(column.tolist() for column in columns.values()), strict=True)
            cells = ("</TD><TD>".join(map(str, row)) for row in values)
            data = "".join(f"<TR><TD>{row}</TD></TR>" for row in cells)
            path.write_text(f"<VOTABLE><RESOURCE><TABLE>{fields}<DATA><TABLEDATA>{data}"
                            "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
    return path


#: Run in a process of its own: reads a file through and prints its rows, and the megabytes that
#: Arrow and the process had at the highest.
THROUGH = """
import re, sys
from pathlib import Path
import pyarrow as pa
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.table import FORMATS

path = Path(sys.argv[1])
name = next(name for name, kind in FORMATS.items() if path.suffix in kind.suffixes)
with FORMATS[name].reader().stream(Source(path, None, Limits(), "t")) as stream:
    rows = sum(len(batch) for batch in stream.batches)
whole = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print(rows, pa.default_memory_pool().max_memory() // 2**20, whole)
"""

#: What Arrow's allocator keeps for later, for each thread, differs from run to run.
FRUGAL = {"MIMALLOC_PURGE_DELAY": "0", "OMP_NUM_THREADS": "1"}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to ask for memory")
@pytest.mark.parametrize(("suffix", "few", "many"), [
    (".fits", 200_000, 2_000_000), (".parquet", 200_000, 2_000_000), (".csv", 300_000, 900_000),
    (".xml", 20_000, 200_000)])
def test_more_rows_take_no_more_memory(tmp_path, suffix, few, many) -> None:
    """As it would be held, whole or as text, the larger table is twice as much as either bound."""
    peaks = []
    for rows in (few, many):
        path = written(tmp_path / f"{rows}{suffix}", rows)
        told = subprocess.run([sys.executable, "-c", THROUGH, path], check=True, text=True,
                              capture_output=True, env=os.environ | FRUGAL).stdout
        there, *peak = map(int, told.split())
        assert there == rows
        peaks.append(peak)
    (arrow_of_few, whole_of_few), (arrow, whole) = peaks
    assert arrow - arrow_of_few < 32
    assert whole - whole_of_few < 48


class Mine(OSError):
    """A failure of whoever takes the rows."""


@pytest.mark.usefixtures("unconfined")
@pytest.mark.parametrize("case", CASES)
def test_what_fails_outside_is_not_the_fault_of_the_file(tmp_path, case) -> None:
    how = CASES[case]
    table = pa.table([[2**53 + 1], [0.5], [7], [0.25], ["a"], [True]], schema=SCHEMA)
    how.write(table, tmp_path / f"t{how.suffix}")

    def take() -> None:
        with open_table(tmp_path / f"t{how.suffix}") as stream:
            for _ in stream.batches:
                raise Mine

    with pytest.raises(Mine):
        take()


def test_a_later_row_is_refused_when_it_is_reached(tmp_path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": np.arange(50_000)}), path, row_group_size=10_000,
                   compression="none", use_dictionary=False, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[content.index(np.int64(49_000).tobytes())] ^= 1
    path.write_bytes(content)
    with open_table(path, rows=10_000) as stream:
        assert [len(next(stream.batches)) for _ in range(4)] == [10_000] * 4
        with pytest.raises(TsmError) as refused:
            next(stream.batches)
    assert refused.value.codes == (Code.FILE_DAMAGED,)


@pytest.mark.parametrize("limits", [Limits(max_rows=5), Limits(max_memory=60)])
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".fits"])
def test_limits_hold_for_streams(tmp_path, suffix, limits) -> None:
    path = written(tmp_path / f"t{suffix}", 10)
    told = in_batches(path, 1, limits=limits)
    assert isinstance(told, TsmError)
    assert told.codes == (Code.FILE_LIMIT,)


def test_a_confined_table_comes_in_batches_too(tmp_path) -> None:
    path = written(tmp_path / "t.xml", 25)
    with open_table(path, rows=7) as stream:
        assert stream.rows == 25
        assert [len(batch) for batch in stream.batches] == [7, 7, 7, 4]
    assert_equal(in_batches(path, 7), outcome(path))


def test_a_catalogue_comes_in_batches_of_its_partitions(tmp_path) -> None:
    sky = pa.table({"ra": np.linspace(0, 359, 200), "dec": np.linspace(-80, 80, 200),
                    "n": np.arange(200)})
    write_table_as_collection(sky, tmp_path / "sky", "sky", rows_per_partition=30)
    with open_hats(tmp_path / "sky", ["n", "ra"], first=150, rows=7) as stream:
        assert (stream.rows, stream.schema.names) == (150, ["n", "ra"])
        batches = list(stream.batches)
    assert max(map(len, batches)) == 7
    assert_equal(pa.Table.from_batches(batches),
                 read_hats(tmp_path / "sky", ["n", "ra"], first=150))


def test_a_stream_of_a_file_or_folder_is_what_is_read_of_it(tmp_path) -> None:
    sky = pa.table({"ra": [1.0], "dec": [0.5]})
    write_table_as_collection(sky, tmp_path / "sky", "sky")
    pq.write_table(sky, tmp_path / "file")
    for path, options in ((tmp_path / "sky", {}), (tmp_path / "file", {"format": "parquet"})):
        with tables.stream(path, ["dec", "ra"], **options) as stream:
            assert_equal(stream.read_all(), sky.select(["dec", "ra"]))
