"""Text files whose separator nobody told: found by the first line, with or without names."""

from __future__ import annotations

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.readers import describe_table, read_table

ROWS = {"name": ["a b", "c"], "z": [0.5, 1.25], "n": [1, 2]}


def read(tmp_path, text):
    path = tmp_path / "t.txt"
    path.write_text(text)
    return read_table(path).to_pydict()


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_the_separator_is_the_one_that_stands_most_often_in_the_first_line(tmp_path, mark):
    text = "# a comment; with, marks\nname,z,n\na b,0.5,1\nc,1.25,2\n".replace("z,", f"z{mark}")
    text = text.replace("name,", f"name{mark}").replace("b,", f"b{mark}").replace("c,", f"c{mark}")
    text = text.replace("0.5,", f"0.5{mark}").replace("1.25,", f"1.25{mark}")
    assert read(tmp_path, text) == ROWS


def test_columns_of_rows_without_names_are_called_by_their_places(tmp_path):
    assert read(tmp_path, "1;0.5;x\n2;1.5;y\n") == {
        "col_0": [1, 2], "col_1": [0.5, 1.5], "col_2": ["x", "y"]}
    assert [c.name for c in describe_table(tmp_path / "t.txt").columns] == [
        "col_0", "col_1", "col_2"]


def test_one_column_is_a_table_too(tmp_path):
    assert read(tmp_path, "z\n1\n2\n") == {"z": [1, 2]}


def test_rows_of_unequal_length_are_refused(tmp_path):
    with pytest.raises(TsmError) as caught:
        read(tmp_path, "a|b\n1|2\n3\n4|5|6\n")
    assert caught.value.codes == (Code.FILE_DAMAGED,)
