"""The first rows of a table are those of the whole, and no more is read where that can be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.readers import read_table
from pz_tsm_core.sky.read import read_hats
from pz_tsm_core.sky.write import write_table_as_collection

N = 200
ROWS = pa.table({"ra": np.linspace(0, 359, N), "dec": np.linspace(-80, 80, N), "n": np.arange(N)})


def save(file):
    table = Table({name: ROWS[name].to_numpy() for name in ROWS.column_names})
    match file.suffix:
        case ".parquet":
            pq.write_table(ROWS, file, row_group_size=16)
        case ".csv":
            pyarrow.csv.write_csv(ROWS, file)
        case ".fits":
            table.write(file)
        case ".vot":
            table.write(file, format="votable")
        case ".ecsv":
            table.write(file, format="ascii.ecsv")
        case _:
            table.write(file, format="hdf5", path="data", serialize_meta=False)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "fits", "vot", "ecsv", "hdf5"])
@pytest.mark.parametrize("first", [1, 20, N, N + 5])
def test_first_rows_are_those_of_the_whole(suffix, first, tmp_path):
    file = tmp_path / f"table.{suffix}"
    save(file)
    assert read_table(file, first=first) == read_table(file).slice(0, first)


@pytest.mark.parametrize("first", [1, 70, N + 5])
def test_first_rows_of_a_catalogue_are_those_of_the_whole(first, tmp_path):
    write_table_as_collection(ROWS, tmp_path / "sky", "sky", rows_per_partition=30)
    assert read_hats(tmp_path / "sky", first=first) == read_hats(tmp_path / "sky").slice(0, first)


def test_damage_behind_the_first_rows_of_a_parquet_file_is_never_met(tmp_path):
    """So nothing there was read."""
    file = tmp_path / "table.parquet"
    pq.write_table(ROWS, file, row_group_size=16, compression="none", use_dictionary=False,
                   write_page_checksum=True)
    content = bytearray(file.read_bytes())
    at = content.index(np.int64(N - 3).tobytes())
    content[at] ^= 1
    file.write_bytes(content)
    assert read_table(file, first=20)["n"].to_pylist() == list(range(20))
    with pytest.raises(TsmError) as refused:
        read_table(file)
    assert refused.value.codes == (Code.FILE_DAMAGED,)


def test_first_rows_of_what_would_not_fit_are_read(tmp_path):
    from pz_tsm_core.model.limits import Limits

    file = tmp_path / "table.fits"
    save(file)
    small = Limits(max_rows=50)
    assert len(read_table(file, first=50, limits=small)) == 50
    with pytest.raises(TsmError):
        read_table(file, limits=small)
