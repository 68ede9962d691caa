"""ECSV: the header is believed for types and words, and builds nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable
from astropy.time import Time

from pz_tsm_core.errors import Code
from pz_tsm_core.readers import describe_table, read_table

pytestmark = pytest.mark.usefixtures("unconfined")


def ecsv(columns: str, body: str, more: str = "") -> str:
    lines = "".join(f"# - {column}\n" for column in columns.split(";"))
    return f"# %ECSV 1.0\n# ---\n# datatype:\n{lines}{more}{body}"


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "table.ecsv"
        path.write_text(text, "utf-8")
        return path

    return write


ID = "{name: id, datatype: int64}"
NAME = "{name: name, datatype: string}"


def test_a_value_of_another_type_is_told_with_its_row_and_line(file, refusal) -> None:
    body = 'id name\n1 "two\nlines"\n"" b\nseven c\n'
    error = refusal(file(ecsv(f"{ID};{NAME}", body)))
    assert error.codes == (Code.FILE_DAMAGED,)
    assert "`seven` in column `id`, row 3, line 10" in error.problems[0].found


@pytest.mark.parametrize(("datatype", "value"), [
    ("int64", "1.0"), ("int64", "9223372036854775808"), ("int8", "128"), ("uint8", "-1"),
    ("float32", "dim"), ("bool", "perhaps")])
def test_no_value_is_bent_to_its_type(file, refusal, datatype, value) -> None:
    path = file(ecsv(f"{{name: v, datatype: {datatype}}}", f"v\n{value}\n"))
    assert refusal(path).codes == (Code.FILE_DAMAGED,)


def test_ids_beyond_the_reach_of_floats_are_exact(file) -> None:
    columns = f"{ID};{{name: u, datatype: uint64}}"
    table = read_table(file(ecsv(columns, "id u\n9007199254740993 18446744073709551615\n")))
    assert table.to_pydict() == {"id": [2**53 + 1], "u": [2**64 - 1]}


def test_text_that_looks_like_a_number_or_a_null_stays_text(file) -> None:
    body = "name\n007\nnan\nnull\nNone\n"
    assert read_table(file(ecsv(NAME, body)))["name"].to_pylist() == ["007", "nan", "null", "None"]


def test_the_word_of_the_gaia_archive_for_missing_numbers_is_null(file) -> None:
    table = read_table(file(ecsv(f"{ID};{NAME}", "id,name\nnull,null\n", "# delimiter: ','\n")))
    assert table.to_pydict() == {"id": [None], "name": ["null"]}


def test_quantities_and_coordinates_of_astropy_are_columns_with_units(tmp_path) -> None:
    made = QTable({
        "z": [0.1, 0.2] * units.dimensionless_unscaled,
        "flux": [1.0, 2.0] * units.nJy,
        "place": SkyCoord([10.0, 20.0] * units.deg, [-5.0, 5.0] * units.deg),
        "when": Time([60000.0, 60001.0], format="mjd"),
        "n": MaskedColumn([1, 2], mask=[False, True]),
    })
    made.write(tmp_path / "t.ecsv")
    table = read_table(tmp_path / "t.ecsv")
    assert table.column_names == ["z", "flux", "place.ra", "place.dec", "when", "n"]
    assert table.schema.field("flux").metadata == {b"unit": b"nJy"}
    assert table.schema.field("place.ra").metadata == {b"unit": b"deg"}
    np.testing.assert_array_equal(table["place.dec"].to_numpy(), [-5.0, 5.0])
    assert table["n"].to_pylist() == [1, None]


def test_lists_and_wide_floats_are_refused_unless_they_are_not_asked_for(file, refusal) -> None:
    columns = (f"{ID};{{name: flux, datatype: string, subtype: 'float64[null]'}};"
               "{name: w, datatype: float128}")
    path = file(ecsv(columns, "id flux w\n5 [1.0,2.0] 1.0\n"))
    error = refusal(path)
    assert error.codes == (Code.TABLE_COLUMN_TYPE,)
    assert "`flux`: float64[null], `w`: float128" in error.problems[0].found
    assert read_table(path, columns=["id"]).to_pydict() == {"id": [5]}
    facts = describe_table(path)
    assert facts.rows == 1
    assert [(c.type, c.usable) for c in facts.columns] == [
        ("int64", True), ("float64[null]", False), ("float128", False)]


@pytest.mark.parametrize("header", [
    "# - !!python/object/apply:os.system ['touch owned']\n",
    "# - !!python/name:os.system ''\n",
    "# - {name: !!python/object:os.PathLike {}, datatype: int64}\n",
])
def test_a_header_that_would_build_objects_is_refused(file, refusal, tmp_path, header) -> None:
    path = file(f"# %ECSV 1.0\n# ---\n# datatype:\n{header}v\n1\n")
    assert refusal(path).codes == (Code.FILE_DAMAGED,)
    assert not list(tmp_path.glob("**/owned"))


@pytest.mark.parametrize("text", [
    "# %ECSV 1.0\n",
    "# %ECSV 1.0\n# ---\n# datatype: 7\nv\n1\n",
    "# %ECSV 1.0\n# ---\n# datatype: [3]\nv\n1\n",
    "# %ECSV 1.0\n# ---\n# nothing: here\nv\n1\n",
    "# %ECSV 1.0\n# ---\n# : : :\nv\n1\n",
    ecsv(ID, "number\n1\n"),
    ecsv(f"{ID};{NAME}", "id\n1\n"),
    ecsv(ID, "id\n1\n", "# delimiter: '|'\n"),
    ecsv(f"{ID};{NAME}", "id name\n1\n"),
    ecsv(ID, "id\n1 2\n"),
])
def test_a_header_that_contradicts_the_file_is_refused(file, refusal, text) -> None:
    assert refusal(file(text)).codes == (Code.FILE_DAMAGED,)


def test_no_rows_and_no_names_are_empty(file, refusal) -> None:
    for body in ("", "id\n"):
        assert refusal(file(ecsv(ID, body))).codes == (Code.TABLE_EMPTY,)


def test_aliases_that_unfold_are_refused(file, refusal) -> None:
    levels = "".join(f"# a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    path = file(f"# %ECSV 1.0\n# ---\n# a0: &a0 [x]\n{levels}# datatype: [{ID}]\nid\n1\n")
    assert refusal(path).codes == (Code.FILE_DAMAGED,)


def test_a_file_with_carriage_returns_and_a_byte_order_mark_is_read(tmp_path) -> None:
    path = tmp_path / "t.ecsv"
    path.write_bytes(b"\xef\xbb\xbf" + ecsv(ID, "id\n5\n").replace("\n", "\r\n").encode())
    assert read_table(path).equals(pa.table({"id": [5]}))
