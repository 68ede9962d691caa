"""`tsm inspect`: what it says of files, folders, results and recipes, and to whom."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pz_tsm_core.cli.app import app
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.inspection import Wish, inspect, tables
from pz_tsm_core.mock import write_own_table
from pz_tsm_core.model.artifact import Access, Principal, StageRequest
from pz_tsm_core.products import put
from pz_tsm_core.store import open_store

ALICE = Access(kind="private", name="alice")


def no_store():
    raise AssertionError("no store is needed")


def told(*arguments):
    """The JSON that the command prints."""
    done = CliRunner().invoke(app, ["inspect", *map(str, arguments), "--json"],
                              catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_a_table_is_told_as_pandas_tells_it(mock_sky):
    write_own_table(mock_sky)
    file = mock_sky.root / "my_redshifts.csv"
    table, frame = told(file, "--rows", 2)["tables"][0], pd.read_csv(file)
    assert (table["rows"], table["looked_at"]) == (len(frame), len(frame))
    for column in table["columns"]:
        values = frame[column["name"]]
        assert (column["empty"], column["distinct"]) == (values.isna().sum(), values.nunique())
        assert column["first"] == values.head(2).to_list()
        if column["type"] != "string":
            assert (column["smallest"], column["largest"]) == (values.min(), values.max())


def test_units_ucds_and_descriptions_of_a_file_are_shown(tmp_path):
    field = pa.field("z", pa.float64(), metadata={
        "unit": "km/s", "ucd": "src.redshift", "description": "how far"})
    pq.write_table(pa.table([pa.array([1.0, np.nan, None])], schema=pa.schema([field])),
                   tmp_path / "t.parquet")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "t.parquet")])
    assert all(word in done.stdout for word in ("km/s", "src.redshift", "how far"))
    [column] = told(tmp_path / "t.parquet")["tables"][0]["columns"]
    assert (column["empty"], column["smallest"], column["first"]) == (2, 1.0, [1.0, "nan", None])


def test_a_catalogue_is_told_by_its_rows_and_columns(mock_sky):
    seen = told(mock_sky.objects, "--columns", "objectId,coord_ra")
    truth = pq.read_table(mock_sky.truth_objects)
    assert (seen["kind"], seen["facts"]["rows"]) == ("HATS catalogue", len(truth))
    ids = {column["name"]: column for column in seen["tables"][0]["columns"]}["objectId"]
    expected = truth["objectId"].to_numpy()
    assert (ids["smallest"], ids["largest"], ids["distinct"]) == (
        expected.min(), expected.max(), len(expected))


def test_columns_that_hold_lists_are_declared_and_left_unread(tmp_path):
    pq.write_table(pa.table({"ra": [1.0], "spectrum": [[1.0, 2.0]]}), tmp_path / "t.parquet")
    columns = {one["name"]: one for one in told(tmp_path / "t.parquet")["tables"][0]["columns"]}
    assert (columns["ra"]["empty"], columns["spectrum"]["empty"]) == (0, None)
    assert columns["spectrum"]["type"].startswith("list")


def test_of_a_large_table_the_first_rows_are_looked_at_and_more_of_fewer_columns(
    tmp_path, monkeypatch
):
    pq.write_table(pa.table({name: np.arange(50) for name in "abc"}), tmp_path / "t.parquet")
    monkeypatch.setattr(tables, "_MANY", 60)
    whole = inspect(str(tmp_path / "t.parquet"), no_store, Wish(first=3)).tables[0]
    assert (whole.rows, whole.looked_at, whole.columns[0].largest) == (50, 20, 19)
    one = inspect(str(tmp_path / "t.parquet"), no_store, Wish(columns=("b",))).tables[0]
    assert (one.looked_at, [column.name for column in one.columns]) == (50, ["b"])


def test_a_column_that_is_not_there_is_refused_with_the_nearest(tmp_path):
    pq.write_table(pa.table({"redshift": [1.0]}), tmp_path / "t.parquet")
    with pytest.raises(TsmError, match="did you mean `redshift`") as refused:
        inspect(str(tmp_path / "t.parquet"), no_store, Wish(columns=("redshifts",)))
    assert refused.value.codes == (Code.TABLE_MISSING_COLUMN,)


def test_an_artifact_is_told_with_its_balance_counts_and_inputs(mock_run):
    manifest = mock_run.manifests["combine"]
    seen = inspect(manifest.address, lambda: mock_run.store, Wish(first=1))
    rows = seen.facts["rows"]
    assert rows["taken"] == rows["given"] + sum(rows["dropped"].values())
    assert seen.facts["inputs"] == manifest.request.inputs
    assert seen.facts["access"] == "public"
    assert {table.name: table.rows for table in seen.tables} == manifest.table_rows
    [galaxies] = [table for table in seen.tables if table.name == "galaxies"]
    quality = {column.name: column for column in galaxies.columns}["quality"]
    kept = mock_run.table("combine", "galaxies")["quality"].to_numpy()
    assert (quality.smallest, quality.largest) == (kept.min(), kept.max())


def test_a_recipe_is_told_by_its_inputs_and_choices(mock_sky):
    facts = told(mock_sky.root / "recipe.yaml")["facts"]
    assert facts["inputs"]["vandels"] == str(mock_sky.surveys["vandels"])
    assert facts["combine"]["min_quality"] == 3


def test_a_definition_is_told_by_what_it_says(tmp_path):
    from importlib.resources import files

    text = (files("pz_tsm_core.surveys") / "data" / "vandels.yaml").read_text()
    (tmp_path / "vandels.yaml").write_text(text)
    seen = told(tmp_path / "vandels.yaml")
    assert (seen["kind"], seen["facts"]["key"]) == ("survey definition", "vandels")


@pytest.fixture
def two_owners(tmp_path):
    """A store with a private table of Alice, opened by her and by Bob."""
    table = tmp_path / "secret.csv"
    table.write_text("ra,dec,z\n1,2,0.5\n")
    alice = open_store(tmp_path / "store", Principal(name="alice"))
    version = put(table, "hidden", access=ALICE, store=alice)
    return alice, open_store(tmp_path / "store", Principal(name="bob")), version


def refusal(what, store):
    with pytest.raises(TsmError) as refused:
        inspect(what, lambda: store, Wish())
    return str(refused.value)


def test_the_owner_sees_a_private_table(two_owners):
    alice, _, version = two_owners
    for what in ("hidden", "hidden@1", version.ref.address):
        assert inspect(what, lambda: alice, Wish()).tables[0].rows == 1


def test_to_another_a_private_table_is_one_that_never_was(two_owners, caplog):
    _, bob, version = two_owners
    for real, made_up, ref in ((version.ref.address, "0" * 64, ""), ("hidden", "qqqqqq", ""),
                               ("hidden", "qqqqqq", "@1")):
        assert refusal(real + ref, bob) == refusal(made_up + ref, bob).replace(made_up, real)
    assert not caplog.records


def test_data_rights_are_asked_for_as_well(tmp_path):
    holder = Principal(name="bob", rights=frozenset({"rubin"}))
    request = StageRequest(stage="toy", version=1, access=Access(kind="rights", name="rubin"))
    store = open_store(tmp_path / "store", holder)
    address = store.publish(request, lambda draft: draft.write_table(
        "t", pa.table({"a": [1]}))).address
    assert inspect(address, lambda: store, Wish()).facts["access"] == "rights:rubin"
    other = open_store(tmp_path / "store", Principal(name="bob"))
    assert refusal(address, other) == refusal("f" * 64, other).replace("f" * 64, address)


def test_what_is_nothing_is_refused_with_what_could_be_meant(tmp_path):
    assert "a path, a product such as NAME" in refusal("no/such file", None)
    assert "product.unknown" in refusal("nosuch", open_store(tmp_path / "store"))
