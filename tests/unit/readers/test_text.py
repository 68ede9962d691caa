"""CSV and TSV as people write them: comments, other separators, no names, odd line ends."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code
from pz_tsm_core.readers import describe_table, read_table
from pz_tsm_core.readers.facts import ColumnFacts, TableFacts


@pytest.mark.parametrize("text", [
    "id,z\n5,0.5\n",
    "# made by hand\n#\nid,z\n5,0.5\n",
    "\n# made by hand\n\nid,z\n5,0.5\n",
    "# with, commas and \"quotes\nid,z\n5,0.5",
    "\ufeffid,z\r\n5,0.5\r\n",
    "\ufeff# a mark before the comment\nid,z\n5,0.5\n",
    "id,z\n\n5,0.5\n\n",
])
def test_a_table_is_found_below_its_comments(tmp_path, text) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, "utf-8", newline="")
    assert read_table(path).equals(pa.table({"id": [5], "z": [0.5]}))


@pytest.mark.parametrize(("name", "text", "found"), [
    ("t.csv", "ra;dec;z\n1;2;0.5\n", "divided by semicolons"),
    ("t.csv", "ra|dec|z\n1|2|0.5\n", "divided by bars"),
    ("t.csv", "ra\tdec\tz\n1\t2\t0.5\n", "divided by tabs"),
    ("t.tsv", "ra,dec,z\n1,2,0.5\n", "divided by commas"),
    ("t.csv", "700,282.5,-58.5,0,0\n701,299.5,-48.5,0,0\n", "the number 700 as a column name"),
    ("t.csv", "galaxy,12.5,-3e-2,0.5\nqso,1.5,2,0.7\n", "the number 12.5 as a column name"),
    ("t.csv", "# ra,dec,z\n10.5,-3.0,0.5\n", "the number 10.5 as a column name"),
])
def test_rows_that_would_be_taken_for_names_are_refused(tmp_path, refusal, name, text, found):
    (tmp_path / name).write_text(text)
    error = refusal(tmp_path / name)
    assert error.codes == (Code.FILE_FORMAT,)
    assert found in error.problems[0].found


@pytest.mark.parametrize("text", ["flux;mJy,z\n1,2\n", "z1,z2,0.5\n1,2,3\n", "a|b,c\n1,2\n"])
def test_odd_names_beside_others_are_names(tmp_path, text) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert read_table(tmp_path / "t.csv").column_names == text.partition("\n")[0].split(",")


@pytest.mark.parametrize("text", ["# only\n# comments\n", "#\n\n"])
def test_comments_alone_are_no_table(tmp_path, refusal, text) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert refusal(tmp_path / "t.csv").codes == (Code.TABLE_EMPTY,)


def test_a_comment_among_the_rows_is_refused(tmp_path, refusal) -> None:
    (tmp_path / "t.csv").write_text("id,z\n1,2\n# half way\n3,4\n")
    assert refusal(tmp_path / "t.csv").codes == (Code.FILE_DAMAGED,)


def test_a_description_of_text_tells_what_reading_gives(tmp_path) -> None:
    (tmp_path / "t.tsv").write_text("id\tz\n5\t0.5\n6\t\n")
    assert describe_table(tmp_path / "t.tsv") == TableFacts(
        2, (ColumnFacts("id", "int64"), ColumnFacts("z", "double")), "tsv")


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\u202eb", "a\nb"])
def test_a_name_that_cannot_be_printed_is_refused_and_not_printed(tmp_path, refusal, name) -> None:
    (tmp_path / "t.csv").write_text(f'"{name}",id\n1,2\n', "utf-8")
    error = refusal(tmp_path / "t.csv")
    assert error.codes == (Code.FILE_DAMAGED,)
    assert name not in str(error)
    assert read_table(tmp_path / "t.csv", columns=["id"])["id"].to_pylist() == [2]
