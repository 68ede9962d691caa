"""VOTable: nothing that other parsers mend in silence passes as a value."""

from __future__ import annotations

import base64
import struct

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import describe_table, read_table
from pz_tsm_core.readers.table import FORMATS

pytestmark = pytest.mark.usefixtures("unconfined")


def votable(fields: str, data: str, version: str = "1.4", attributes: str = "") -> str:
    return (f'<?xml version="1.0"?>\n<VOTABLE version="{version}" '
            f'xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE>\n'
            f"<TABLE {attributes}>\n{fields}\n<DATA>\n{data}\n</DATA></TABLE></RESOURCE></VOTABLE>")


def rows(*values: tuple[str, ...]) -> str:
    cells = ("".join(f"<TD>{cell}</TD>" for cell in row) for row in values)
    return "<TABLEDATA>\n" + "\n".join(f"<TR>{row}</TR>" for row in cells) + "\n</TABLEDATA>"


def binary(data: bytes, kind: str = "BINARY") -> str:
    text = base64.b64encode(data).decode()
    return f'<{kind}><STREAM encoding="base64">\n{text}\n</STREAM></{kind}>'


INT = '<FIELD name="n" datatype="int"/>'
LONG = '<FIELD name="id" datatype="long"/>'


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "table.xml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize("cell", [
    "12345678901234567", "-9223372036854775808", "0x7fffffffffffffff"])
def test_64_bit_ids_are_exact(file, cell) -> None:
    table = read_table(file(votable(LONG, rows((cell,), ("",)))))
    assert table["id"].type == pa.int64()
    assert table["id"].to_pylist() == [int(cell, 0), None]


def test_a_declared_null_is_null(file) -> None:
    field = '<FIELD name="n" datatype="short"><VALUES null="-99"/></FIELD>'
    assert read_table(file(votable(field, rows(("-99",), ("3",)))))["n"].to_pylist() == [None, 3]


@pytest.mark.parametrize(("field", "cell"), [
    (INT, "99999999999"),  # astropy clips it to 2147483647
    (INT, "seven"),
    (INT, "1.5"),
    ('<FIELD name="x" datatype="float"/>', "dim"),  # astropy makes it NaN
    ('<FIELD name="s" datatype="char" arraysize="2"/>', "abc"),  # astropy cuts it
    ('<FIELD name="b" datatype="boolean"/>', "maybe"),
    ('<FIELD name="x" datatype="quadruple"/>', "1"),
])
def test_a_value_that_is_not_of_its_datatype_is_refused(file, refusal, field, cell) -> None:
    error = refusal(file(votable(field, rows((cell,)))))
    assert error.codes[0] in (Code.FILE_DAMAGED, Code.TABLE_COLUMN_TYPE)


def test_the_place_of_a_wrong_value_is_told(file, refusal) -> None:
    found = refusal(file(votable(INT, rows(("1",), ("2",), ("x",))))).problems[0].found
    assert found == "`x` in column `n`, row 3, line 10"


def test_an_empty_integer_of_an_old_version_is_refused_and_not_read_as_zero(file, refusal) -> None:
    assert refusal(file(votable(INT, rows(("",)), "1.2"))).codes == (Code.FILE_DAMAGED,)


@pytest.mark.parametrize("attributes", ['nrows="3"', 'nrows="1"', 'nrows="1000000000000"'])
def test_a_number_of_rows_that_lies_is_refused(file, refusal, attributes) -> None:
    text = votable(INT, rows(("1",), ("2",)), attributes=attributes)
    assert refusal(file(text)).codes == (Code.FILE_DAMAGED,)


def test_binary_rows_with_texts_of_any_length_are_read(file) -> None:
    fields = LONG + '<FIELD name="s" datatype="char" arraysize="*"/>'
    data = b"".join(struct.pack(">qi", n, len(s)) + s for n, s in ((2**62, b"abc"), (-1, b"")))
    path = file(votable(fields, binary(data)))
    assert read_table(path).to_pydict() == {"id": [2**62, -1], "s": ["abc", ""]}
    assert describe_table(path).rows == 2


def test_a_binary_row_that_is_cut_short_is_refused(file, refusal) -> None:
    whole = struct.pack(">qq", 1, 2)
    assert len(read_table(file(votable(LONG, binary(whole))))) == 2
    error = refusal(file(votable(LONG, binary(whole[:-1]))))
    assert error.codes == (Code.FILE_DAMAGED,)
    assert "within row 2" in error.problems[0].found


@pytest.mark.parametrize("attributes", ["", 'nrows="2"'])
def test_a_row_of_texts_that_is_cut_short_is_refused(file, refusal, attributes):
    """Whether or not the table says how many rows it has."""
    fields = LONG + '<FIELD name="s" datatype="char" arraysize="*"/>'
    data = b"".join(struct.pack(">qi", n, 3) + b"abc" for n in range(2))
    error = refusal(file(votable(fields, binary(data[:-1]), attributes=attributes)))
    assert error.codes == (Code.FILE_DAMAGED,)
    assert "within row 2" in error.problems[0].found


@pytest.mark.parametrize("stream", ["AAAA!AAAA", "AA==AAAA", "AAAAé"])
def test_what_is_no_base64_is_refused(file, refusal, stream) -> None:
    data = f'<BINARY><STREAM encoding="base64">{stream}</STREAM></BINARY>'
    assert refusal(file(votable(INT, data))).codes == (Code.FILE_DAMAGED,)


@pytest.mark.parametrize("encoding", ["", 'encoding="gzip"', 'encoding="dynamic"'])
def test_other_encodings_of_streams_are_refused(file, refusal, encoding) -> None:
    data = f"<BINARY><STREAM {encoding}>AAAA</STREAM></BINARY>"
    assert refusal(file(votable(INT, data))).codes == (Code.FILE_FORMAT,)


def test_rows_of_no_bytes_do_not_go_on_for_ever(file, refusal) -> None:
    field = '<FIELD name="s" datatype="char" arraysize="0"/>'
    assert refusal(file(votable(field, binary(b"abc")))).codes == (Code.FILE_DAMAGED,)


def test_texts_of_no_characters_are_empty(file) -> None:
    field = '<FIELD name="s" datatype="char" arraysize="0"/>'
    for data in (rows(("7", "")), binary(struct.pack(">q", 7))):
        assert read_table(file(votable(LONG + field, data)))["s"].to_pylist() == [""]


def test_lists_are_refused_unless_they_are_not_asked_for(file, refusal) -> None:
    fields = LONG + ('<FIELD name="flux" datatype="float" arraysize="2"/>'
                     '<FIELD name="c" datatype="floatComplex"/>')
    path = file(votable(fields, rows(("7", "1 2", "1 2"))))
    error = refusal(path)
    assert error.codes == (Code.TABLE_COLUMN_TYPE,)
    assert "`flux`: float of arraysize 2, `c`: floatComplex" in error.problems[0].found
    assert read_table(path, columns=["id"])["id"].to_pylist() == [7]
    assert [c.name for c in describe_table(path).columns if c.usable] == ["id"]


def test_lists_of_texts_are_in_nobodys_way(file, refusal) -> None:
    field = '<FIELD name="names" datatype="char" arraysize="3x2"/>'
    for data in (rows(("7", "abcdef")), binary(struct.pack(">q", 7) + b"abcdef")):
        path = file(votable(LONG + field, data))
        error = refusal(path)
        assert error.codes == (Code.TABLE_COLUMN_TYPE,)
        assert "`names`: char of arraysize 3x2" in error.problems[0].found
        assert read_table(path, columns=["id"])["id"].to_pylist() == [7]


@pytest.mark.parametrize("kind", ['datatype="quadruple"', 'datatype="char" arraysize="3x*"'])
def test_bytes_behind_a_value_of_unknown_length_are_not_guessed(file, refusal, kind) -> None:
    path = file(votable(f'<FIELD name="q" {kind}/>' + LONG, binary(bytes(24))))
    assert refusal(path, columns=["id"]).codes == (Code.FILE_FORMAT,)


def test_a_bit_is_the_first_of_its_byte(file) -> None:
    """As the standard counts bits; astropy takes the fifth."""
    field = '<FIELD name="b" datatype="bit"/>'
    assert read_table(file(votable(field, binary(b"\x80\0"))))["b"].to_pylist() == [True, False]


def test_a_byte_that_says_nothing_of_truth_is_refused(file, refusal) -> None:
    field = '<FIELD name="b" datatype="boolean"/>'
    path = file(votable(field, binary(b"T1tF0f? \0")))
    assert read_table(path)["b"].to_pylist() == [True] * 3 + [False] * 3 + [None] * 3
    assert "row 2" in refusal(file(votable(field, binary(b"Tx")))).problems[0].found


def test_a_null_that_other_values_declare_is_null(file) -> None:
    fields = ('<FIELD name="a" datatype="int"><VALUES ID="none" null="-99"/></FIELD>'
              '<FIELD name="b" datatype="int"><VALUES ref="none"/></FIELD>'
              '<PARAM name="p" datatype="int" value="1"><VALUES null="1"/></PARAM>'
              '<FIELD name="c" datatype="int"/>')
    table = read_table(file(votable(fields, rows(("-99", "-99", "1"), ("1", "1", "-99")))))
    assert table.to_pydict() == {"a": [None, 1], "b": [None, 1], "c": [1, -99]}


def test_a_word_declared_as_null_is_null(file) -> None:
    field = '<FIELD name="n" datatype="short"><VALUES null="N/A"/></FIELD>'
    assert read_table(file(votable(field, rows(("N/A",), ("3",)))))["n"].to_pylist() == [None, 3]


@pytest.mark.parametrize("data", [
    "<TABLEDATA><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA>", "<TABLEDATA><TR></TR></TABLEDATA>",
    "<TABLEDATA><TD>1</TD></TABLEDATA>", "<TABLEDATA><TR><TD>1</TD><B/></TR></TABLEDATA>",
    "<TABLEDATA><TR><TD>1</TD></TR></TABLEDATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA>"])
def test_rows_of_other_form_are_refused(file, refusal, data) -> None:
    assert refusal(file(votable(INT, data))).codes == (Code.FILE_DAMAGED,)


def test_values_in_base64_are_refused(file, refusal) -> None:
    data = '<TABLEDATA><TR><TD encoding="base64">AAAAAQ==</TD></TR></TABLEDATA>'
    assert refusal(file(votable(INT, data))).codes == (Code.FILE_FORMAT,)


def test_columns_come_in_the_order_asked_for(file) -> None:
    path = file(votable(INT + LONG, rows(("1", "2"))))
    assert read_table(path, columns=["id", "n"]).to_pydict() == {"id": [2], "n": [1]}


def test_columns_of_one_name_are_refused_and_others_read(file, refusal) -> None:
    path = file(votable(INT + INT + LONG, rows(("1", "2", "3"))))
    assert refusal(path).codes == (Code.TABLE_DUPLICATE_COLUMN,)
    assert read_table(path, columns=["id"])["id"].to_pylist() == [3]


TABLES = """<VOTABLE version="1.4"><RESOURCE>
<TABLE name="empty"><FIELD name="a" datatype="int"/></TABLE>
<TABLE name="first" ID="t1"><DESCRIPTION>All of it</DESCRIPTION>
<FIELD name="a" datatype="int" ucd="meta.id"><DESCRIPTION>The
 number</DESCRIPTION><LINK href="https://example.org/a"/></FIELD>
<GROUP><DESCRIPTION>not of the column</DESCRIPTION></GROUP>
<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE>
<TABLE name="second" ref="t1"><DATA><TABLEDATA><TR><TD>2</TD></TR><TR><TD>3</TD></TR></TABLEDATA>
</DATA></TABLE></RESOURCE></VOTABLE>"""


def test_the_first_table_with_rows_is_read_unless_another_is_named(file, refusal) -> None:
    path = file(TABLES)
    assert read_table(path)["a"].to_pylist() == [1]
    assert read_table(path, table="t1")["a"].to_pylist() == [1]
    assert read_table(path, table="second")["a"].to_pylist() == [2, 3]
    assert describe_table(path, table="second").rows == 2
    error = refusal(path, table="third")
    assert error.codes == (Code.FILE_FORMAT,)
    assert "empty, first, second, t1" in error.problems[0].found


def test_a_description_belongs_to_its_column_and_a_link_is_no_danger(file) -> None:
    field = read_table(file(TABLES)).schema.field("a")
    assert field.metadata == {b"ucd": b"meta.id", b"description": b"The number"}


def test_tables_without_rows_are_empty(file, refusal) -> None:
    empty = votable(INT, "<TABLEDATA></TABLEDATA>")
    assert refusal(file(empty)).codes == (Code.TABLE_EMPTY,)
    assert refusal(file("<VOTABLE><RESOURCE/></VOTABLE>")).codes == (Code.FILE_FORMAT,)
    fits = votable(INT, "<FITS><STREAM encoding='base64'>AAAA</STREAM></FITS>")
    assert refusal(file(fits)).codes == (Code.FILE_FORMAT,)


def test_limits_are_kept(file, refusal) -> None:
    path = file(votable(INT + LONG, rows(("1", "2"), ("3", "4"))))
    for limits in (Limits(max_rows=1), Limits(max_columns=1), Limits(max_memory=20)):
        assert refusal(path, limits=limits).codes == (Code.FILE_LIMIT,)


def test_the_word_null_for_a_missing_float_is_null(file) -> None:
    field = '<FIELD name="x" datatype="double"/>'
    path = file(votable(field, rows(("null",), ("1e-300",), (" NaN ",))))
    assert read_table(path)["x"].to_pylist() == [None, 1e-300, None]


def test_the_formats_that_need_it_are_confined() -> None:
    assert {name for name, kind in FORMATS.items() if kind.confined} == {"votable", "ecsv", "hdf5"}
