"""HDF5: groups of columns and datasets of records, and nothing that leads out of the file."""

from __future__ import annotations

import h5py
import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table

from pz_tsm_core.errors import Code
from pz_tsm_core.export.rail import rail_names, write_rail
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import describe_table, hdf5_tables, read_table

pytestmark = pytest.mark.usefixtures("unconfined")

IDS = np.array([2**53 + 1, -(2**62)])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.hdf5"


def test_what_is_exported_for_rail_reads_back(path) -> None:
    galaxies = pa.table({
        "objectId": IDS, "z": [0.5, 1.25], "mag_i": [22.5, None], "mag_err_i": [0.1, None]},
        schema=pa.schema([
            ("objectId", pa.int64()),
            pa.field("z", pa.float64(), metadata={"ucd": "src.redshift"}),
            pa.field("mag_i", pa.float64(), metadata={"unit": "mag"}),
            ("mag_err_i", pa.float64())]))
    names = rail_names(galaxies.column_names)
    write_rail({"": path}, galaxies.to_batches(), galaxies.schema, names=names)
    table = read_table(path)
    assert table.column_names == ["mag_err_i_lsst", "mag_i_lsst", "object_id", "redshift"]
    assert table["object_id"].to_pylist() == IDS.tolist()
    assert table["mag_i_lsst"].to_pylist() == [22.5, 99.0]
    assert table.schema.field("mag_i_lsst").metadata == {b"unit": b"mag"}
    assert table.schema.field("redshift").metadata == {b"ucd": b"src.redshift"}


@pytest.mark.parametrize("group", ["", "photometry", "a/b/c"])
def test_a_group_of_columns_is_read_wherever_it_stands(path, group) -> None:
    with h5py.File(path, "w") as file:
        file[f"{group}/id"], file[f"{group}/z"] = IDS, np.array([0.1, np.nan], ">f4")
        file[f"{group}/made_by"] = "a scalar is no column"
    table = read_table(path)
    assert table.schema.equals(pa.schema([("id", pa.int64()), ("z", pa.float32())]))
    assert table["id"].to_pylist() == IDS.tolist()
    np.testing.assert_array_equal(table["z"].to_numpy(), np.array([0.1, np.nan], np.float32))
    assert describe_table(path).rows == 2


def test_texts_of_fixed_and_of_any_length_are_read(path) -> None:
    with h5py.File(path, "w") as file:
        file["fixed"] = np.array(["Škoda".encode(), b"a "])
        file["utf8"] = np.array(["ζ".encode(), b""], h5py.string_dtype(length=4))
        file.create_dataset("any", data=["星" * 1000, ""], dtype=h5py.string_dtype())
        file["wrong"] = np.array([b"\xff", b"a"])
    table = read_table(path, columns=["fixed", "utf8", "any"])
    assert table.to_pydict() == {"fixed": ["Škoda", "a "], "utf8": ["ζ", ""],
                                 "any": ["星" * 1000, ""]}


def test_bytes_that_are_no_text_are_refused(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        file["wrong"] = np.array([b"\xff", b"a"])
    assert refusal(path).codes == (Code.FILE_DAMAGED,)


def test_truth_values_enumerations_and_half_floats_are_read(path) -> None:
    with h5py.File(path, "w") as file:
        file["good"] = np.array([True, False])
        file.create_dataset("class", data=[0, 1],
                            dtype=h5py.enum_dtype({"GALAXY": 0, "QSO": 1}, "i1"))
        file["half"] = np.array([0.5, 2.0], np.float16)
    table = read_table(path)
    assert table.schema.types == [pa.int8(), pa.bool_(), pa.float32()]
    assert table.to_pydict() == {"class": [0, 1], "good": [True, False], "half": [0.5, 2.0]}


def test_records_without_a_header_are_read(path) -> None:
    Table({"id": IDS, "name": ["a", "bc"], "z": [0.5, 0.25]}).write(path, path="g/data")
    table = read_table(path)
    assert table.to_pydict() == {"id": IDS.tolist(), "name": ["a", "bc"], "z": [0.5, 0.25]}
    assert read_table(path, columns=["z", "id"]).column_names == ["z", "id"]


def test_a_header_of_other_columns_is_refused(path, refusal) -> None:
    Table({"id": IDS, "z": [0.5, 0.25]}).write(path, path="data", serialize_meta=True)
    with h5py.File(path, "a") as file:
        lines = [line.replace(b"name: z", b"name: y") for line in
                 file["data.__table_column_meta__"][...]]
        file["data.__table_column_meta__"][...] = lines
    assert refusal(path).codes == (Code.FILE_DAMAGED,)


def test_of_several_tables_one_must_be_named(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        file["train/z"], file["test/z"] = [0.1], [0.2, 0.3]
        file["test/ids"] = np.zeros(2, [("id", "i8")])
    error = refusal(path)
    assert error.codes == (Code.FILE_FORMAT,)
    assert "3 tables: there are `test`, `test/ids`, `train`" in error.problems[0].found
    assert read_table(path, table="/train")["z"].to_pylist() == [0.1]
    assert read_table(path, table="test/ids")["id"].to_pylist() == [0, 0]
    assert "no table `none`" in refusal(path, table="none").problems[0].found


def test_datasets_of_unequal_length_are_no_table(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        file["g/z"], file["g/id"] = [0.1], [1, 2]
    error = refusal(path)
    assert error.codes == (Code.FILE_FORMAT,)
    assert "`g`, whose datasets differ in length" in error.problems[0].found
    with h5py.File(path, "w") as file:
        file.create_group("nothing")
    assert refusal(path).codes == (Code.FILE_FORMAT,)


def pandas_table(path, *columns) -> None:
    """What pandas writes with format="table", as PyTables lays it out."""
    with h5py.File(path, "w") as file:
        group = file.create_group("frame")
        group.attrs["pandas_type"] = np.bytes_("frame_table")
        group["table"] = np.zeros(2, [("index", "i8"), *columns])
        group["_i_table/index/sorted"] = np.zeros((0, 4))


def test_plain_columns_of_a_pandas_table_are_read(path) -> None:
    pandas_table(path, ("z", "f8"), ("id", "i8"))
    assert read_table(path).column_names == ["z", "id"]


def test_columns_whose_names_pandas_pickled_are_refused_with_the_remedy(path, refusal) -> None:
    pandas_table(path, ("values_block_0", "f8", (3,)))
    problem = refusal(path).problems[0]
    assert problem.code == Code.FILE_FORMAT
    assert "`frame/table`, where pandas has pickled the names" in problem.found
    assert "to_parquet" in problem.remedy


def test_the_fixed_layout_of_pandas_is_refused_with_the_remedy(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("frame")
        group.attrs["pandas_type"] = np.bytes_("frame")
        group["axis0"], group["axis1"] = np.array([b"z"]), np.arange(2)
        group["block0_items"], group["block0_values"] = np.array([b"z"]), np.zeros((2, 1))
    problem = refusal(path).problems[0]
    assert problem.code == Code.FILE_FORMAT
    assert "a layout of pandas alone" in problem.found


def test_what_holds_no_single_values_is_refused_unless_it_is_not_asked_for(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        file["id"], file["spectrum"], file["c"] = IDS, np.zeros((2, 3)), np.zeros(2, complex)
        file.create_dataset("list", (2,), h5py.vlen_dtype(float))
        file.create_dataset("reference", (2,), h5py.ref_dtype)
        file["wide"] = np.zeros(2, np.longdouble)
        file["opaque"] = np.zeros(2, "V5")
    error = refusal(path)
    assert error.codes == (Code.TABLE_COLUMN_TYPE,)
    for name in ("spectrum", "c", "list", "reference", "wide", "opaque"):
        assert f"`{name}`" in error.problems[0].found
    assert "float64 of shape (3,)" in error.problems[0].found
    assert read_table(path, columns=["id"])["id"].to_pylist() == IDS.tolist()
    assert [c.name for c in describe_table(path).columns if c.usable] == ["id"]


def test_a_group_that_contains_itself_is_walked_once(path) -> None:
    with h5py.File(path, "w") as file:
        file["g/z"] = [0.5]
        file["g/again"] = file["g"]
        file["g/deeper/up"] = file["/"]
    assert read_table(path)["z"].to_pylist() == [0.5]


def test_limits_are_kept(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = np.arange(100), np.arange(100)
    for limits in (Limits(max_rows=99), Limits(max_columns=1), Limits(max_memory=1599)):
        assert refusal(path, limits=limits).codes == (Code.FILE_LIMIT,)
    assert len(read_table(path, limits=Limits(max_memory=1600))) == 100


def test_a_file_of_very_many_objects_is_no_table(path, refusal, monkeypatch) -> None:
    monkeypatch.setattr(hdf5_tables, "MAX_OBJECTS", 20)
    with h5py.File(path, "w") as file:
        for number in range(21):
            file.create_group(f"g/{number}")
    error = refusal(path)
    assert error.codes == (Code.FILE_LIMIT,)
    assert "more than 20 objects" in error.problems[0].found


def test_one_long_text_for_many_rows_is_refused_before_memory_is_full(path, refusal) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("s", (200_000,), h5py.string_dtype(), chunks=(1000,),
                            fillvalue="x" * 1000)
    assert path.stat().st_size < 20_000
    error = refusal(path, limits=Limits(max_memory=2**26))
    assert error.codes == (Code.FILE_LIMIT,)


def test_compressed_records_are_read_in_whole_chunks(path) -> None:
    rows = np.zeros(200_000, [("id", "i8"), ("z", "f4")])
    rows["id"] = np.arange(200_000)
    with h5py.File(path, "w") as file:
        file.create_dataset("t", data=rows, chunks=(70_000,), compression="lzf")
    np.testing.assert_array_equal(read_table(path)["id"].to_numpy(), np.arange(200_000))
