"""Queries spell names as each service does, which its TAP_SCHEMA tells."""

from __future__ import annotations

import pytest

from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.sources._adql import Tables, find, in_box, select
from pz_tsm_core.surveys.enclosing import Box


def schema(table: str, **datatypes: str) -> list[dict[str, object]]:
    return [{"table_name": table, "column_name": name, "datatype": kind, "unit": None,
             "indexed": 0} for name, kind in datatypes.items()]


@pytest.mark.parametrize(("asked", "said", "spelt"), [
    ("desi_edr.zpix", "desi_edr.zpix", "desi_edr.zpix"),
    ("VII/250/2dfgrs", "VII/250/2dfgrs", '"VII/250/2dfgrs"'),
    ("VII/250/2dfgrs", '"VII/250/2dfgrs"', '"VII/250/2dfgrs"'),
    ("J/A+A/609/A84/vipersw1", "J/A+A/609/A84/vipersw1", '"J/A+A/609/A84/vipersw1"'),
    ('public."Deep"', 'public."Deep"', 'public."Deep"'),
    ("ZCOSMOS_V2", "ZCOSMOS_V2", "ZCOSMOS_V2"),
])
def test_a_table_is_spelt_with_the_quotes_that_it_needs(asked: str, said: str, spelt: str) -> None:
    tables, rows = Tables(asked), schema(said, z="float")
    assert tables.missing(rows) == []
    assert tables.clause(rows) == spelt


@pytest.mark.parametrize(("said", "name", "spelt"), [
    ("z", "z", "z"),
    ('"RAJ2000"', "RAJ2000", '"RAJ2000"'),  # TAP 1.1: the service says that it needs quotes
    ("RAJ2000", "RAJ2000", "RAJ2000"),  # or that it needs none
    ("[Fe/H]", "[Fe/H]", '"[Fe/H]"'),
    ("2MASS", "2MASS", '"2MASS"'),
])
def test_a_column_is_spelt_as_the_service_does(said: str, name: str, spelt: str) -> None:
    columns = Tables("t").columns(schema("t", **{said: "double"}))
    assert columns[name].adql == spelt
    assert columns[name].said == ColumnSaid(kind="float")


def test_columns_that_differ_in_case_alone_are_told_apart() -> None:
    columns = Tables("t").columns(schema("t", z="float", Z="int"))
    assert {name: one.adql for name, one in columns.items()} == {"z": '"z"', "Z": '"Z"'}
    assert find(columns, "Z") is columns["Z"]


def test_a_name_in_other_letters_is_found_if_it_can_mean_one_column_only() -> None:
    columns = Tables("t").columns(schema("t", RA="float", q="int", Q="int"))
    assert find(columns, "ra") is columns["RA"]
    assert find(columns, "dec") is None
    assert find({name: columns[name] for name in ("q", "Q")}, "Q") is columns["Q"]


@pytest.mark.parametrize(("datatype", "kind"), [
    ("long", "int"), ("unsignedByte", "int"), ("adql:SMALLINT", "int"), ("BIGINT", "int"),
    ("double", "float"), ("adql:REAL", "float"), ("char", "text"), ("adql:VARCHAR(40)", "text"),
    ("unicodeChar", "text"), ("boolean", "bool"), ("adql:REGION", ""), ("", ""),
])
def test_datatypes_of_both_versions_are_known(datatype: str, kind: str) -> None:
    assert Tables("t").columns(schema("t", a=datatype))["a"].said.kind == kind


@pytest.mark.parametrize("clause", [
    "one AS a JOIN two AS b ON a.id = b.id", "one a JOIN two b ON a.id = b.id",
    "one AS a LEFT OUTER JOIN two AS b USING (id)", "one a  natural join\n two b",
])
def test_of_joined_tables_a_column_is_that_of_the_first_which_has_it(clause: str) -> None:
    tables = Tables(clause)
    rows = schema("two", id="long", ra="double") + schema("one", id="long", z="float")
    assert tables.clause(rows) == " ".join(clause.split())
    assert {name: one.adql for name, one in tables.columns(rows).items()} == {
        "id": "a.id", "z": "a.z", "ra": "b.ra"}


def test_joined_tables_without_other_names_go_by_their_own() -> None:
    tables = Tables('s.one JOIN "J/ApJ/1/t2" ON id = "oid"')
    rows = schema("s.one", id="long") + schema("J/ApJ/1/t2", z="float")
    assert {one.adql for one in tables.columns(rows).values()} == {"s.one.id", '"J/ApJ/1/t2".z'}


def test_tables_that_are_not_there_are_named() -> None:
    rows = schema("one", id="long")
    assert Tables("one AS a JOIN two AS b ON a.id = b.id").missing(rows) == ["two"]
    assert Tables("ONE").missing(rows) == ["ONE"]


def test_no_name_ends_the_text_in_which_it_stands() -> None:
    assert "IN ('it''s', '\"it''s\"')" in Tables("it's").schema_query


def test_a_box_across_0_has_two_ranges_and_one_with_a_pole_has_none() -> None:
    columns = Tables("t").columns(schema("t", ra="double", dec="double"))
    across = list(in_box(Box(((0.0, 1.5), (359.0, 360.0)), (-1.0, 1.0)), *columns.values()))
    assert across == ["dec BETWEEN -1.0 AND 1.0",
                      "(ra BETWEEN 0.0 AND 1.5 OR ra BETWEEN 359.0 AND 360.0)"]
    polar = list(in_box(Box(((0.0, 360.0),), (88.0, 90.0)), *columns.values()))
    assert polar == ["dec BETWEEN 88.0 AND 90.0"]


def test_a_query_is_put_together() -> None:
    assert select(["id", "z"], "t") == "SELECT id, z FROM t"
    assert select(["id"], "t", ["z > 1", "q = 4"], top=5) == (
        "SELECT TOP 5 id FROM t WHERE z > 1 AND q = 4")
