"""A table in each format, read back by libraries that are not ours."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.export.one_table import FORMATS, write_table

BIG = 2**62 + 1  # no float64 holds it

TABLE = pa.table({
    "text": pa.array(["plain", 'a "quoted", one', None, "Müller"]),
    "whole": pa.array([BIG, -1, 0, 7]),
    "gaps": pa.array([BIG, None, 2, 3]),
    "small": pa.array([0, 1, 2, 3], pa.int8()),
    "number": pa.array([1.0, 0.1, None, -1e-300]),
    "truth": pa.array([True, None, False, True]),
    "nothing": pa.nulls(4, pa.float64()),
})


def test_parquet_is_the_table_itself(tmp_path):
    write_table(TABLE, tmp_path / "t.parquet", "parquet")
    assert pq.read_table(tmp_path / "t.parquet").equals(TABLE)


def test_csv_keeps_types_apart_for_a_reader_of_pandas(tmp_path):
    write_table(TABLE, tmp_path / "t.csv", "csv")
    assert (tmp_path / "t.csv").read_text("utf-8").splitlines()[1] == (
        f"plain,{BIG},{BIG},0,1.0,True,")
    read = pd.read_csv(tmp_path / "t.csv", dtype_backend="pyarrow")
    assert read["text"].tolist()[1] == 'a "quoted", one'
    assert read["whole"].tolist() == [BIG, -1, 0, 7]
    assert read["gaps"].tolist()[0] == BIG
    assert read["number"].tolist()[::3] == [1.0, -1e-300]
    assert read["truth"].tolist()[::2] == [True, False]
    assert read.isna().sum().to_dict() == {
        "text": 1, "whole": 0, "gaps": 1, "small": 0, "number": 1, "truth": 1, "nothing": 4}


def test_fits_masks_what_is_missing_and_keeps_ids_whole(tmp_path):
    write_table(TABLE, tmp_path / "t.fits", "fits")
    read = Table.read(tmp_path / "t.fits")
    assert read.colnames == ["text", "whole", "gaps", "small", "number", "truth"]
    assert read["whole"].tolist() == [BIG, -1, 0, 7]
    assert (read["gaps"].tolist(), read["gaps"].mask.tolist()) == (
        [BIG, None, 2, 3], [False, True, False, False])
    assert [str(text) for text in read["text"].filled("")] == ["plain", 'a "quoted", one', "",
                                                              "M?ller"]
    assert read["truth"].filled("").tolist() == ["true", "", "false", "true"]
    assert np.isnan(read["number"].filled(np.nan)).tolist() == [False, False, True, False]
    assert read["small"].dtype == np.dtype(">i2")


def test_hdf5_has_a_dataset_a_column_at_its_root(tmp_path):
    """As tables_io writes a dictionary of arrays to `.hdf5`."""
    few = pa.array([1, None, 2, 3])
    write_table(TABLE.append_column("few", few), tmp_path / "t.hdf5", "hdf5")
    with h5py.File(tmp_path / "t.hdf5") as file:
        read = {name: file[name][:] for name in file}
    assert set(read) == {"text", "whole", "gaps", "small", "number", "truth", "few"}
    assert read["whole"].tolist() == [BIG, -1, 0, 7]
    assert read["text"].tolist() == [b"plain", b'a "quoted", one', b"", "Müller".encode()]
    assert np.isnan(read["few"]).tolist() == [False, True, False, False]
    assert read["gaps"].tolist() == [str(BIG).encode(), b"", b"2", b"3"]  # floats would round it
    assert read["truth"].tolist() == [b"true", b"", b"false", b"true"]


@pytest.mark.parametrize("format_", FORMATS)
def test_equal_tables_give_equal_files(tmp_path, format_):
    for name in ("one", "two"):
        write_table(TABLE, tmp_path / name, format_)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_format_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(TsmError, match="did you mean `fits`") as caught:
        write_table(TABLE, tmp_path / "t", "fit")
    assert caught.value.codes == (Code.FILE_FORMAT,)
