"""A user's own table in the store, and products from a notebook."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

import pz_tsm_core as tsm
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.model.product import LEFT_ALONE
from pz_tsm_core.products import name_for, put
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import open_store

BIG = 2**60 + 1  # a float would spoil it
CSV = f"id,RA,DEC,Z\n{BIG},10.5,-2.25,0.5\n2,11.0,3.0,\n"


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def csv(tmp_path):
    file = tmp_path / "Deep Field.csv"
    file.write_text(CSV)
    return file


def code_of(call):
    with pytest.raises(TsmError) as caught:
        call()
    return caught.value.codes[0]


def test_a_table_that_was_put_opens_again_with_its_values(store, csv):
    version = put(csv, "deep", store=store)
    assert (str(version), version.kind, version.result) == ("deep@1", "table", "put")
    table = tsm.open_product("deep", store)
    assert table["id"].tolist() == [BIG, 2]
    assert table["RA"].tolist() == [10.5, 11.0]
    assert table["Z"].isna().tolist() == [False, True]
    rows = store.manifest(version.ref).rows
    assert (rows.taken, rows.given, rows.dropped) == (2, 2, {})


def test_the_same_file_under_the_same_name_is_the_same_version(store, csv, tmp_path):
    first = put(csv, "deep", store=store)
    copied = tmp_path / "elsewhere.csv"
    copied.write_text(CSV)
    assert put(csv, "deep", store=store) == put(copied, "deep", store=store) == first
    assert put(csv, "other", store=store).ref == first.ref
    csv.write_text(CSV + "3,12,4,0.7\n")
    assert str(put(csv, "deep", store=store)) == "deep@2"
    assert len(tsm.open_product("deep@1", store)) == 2
    assert len(tsm.open_product("deep", store)) == 3


def test_equal_rows_from_another_format_are_the_same_version(store, csv, tmp_path):
    first = put(csv, "deep", store=store)
    pq.write_table(store.read_table(first.ref, "native"), tmp_path / "deep.parquet")
    assert put(tmp_path / "deep.parquet", "deep", store=store) == first


def test_columns_that_no_recipe_can_use_are_left_alone_and_named(store, tmp_path):
    table = Table({"ra": [1.0, 2.0], "spectrum": np.zeros((2, 3)), "z": [0.1, 0.2]})
    table.write(tmp_path / "mine.fits")
    version = put(tmp_path / "mine.fits", store=store)
    assert tsm.open_product("mine", store).columns.tolist() == ["ra", "z"]
    (told,) = store.manifest(version.ref).notes[LEFT_ALONE]
    assert "spectrum" in told


def test_a_hats_folder_is_put_whole(store, tmp_path):
    rows = pa.table({"id": range(50), "ra": np.linspace(0, 359, 50),
                     "dec": np.linspace(-80, 80, 50), "z": np.linspace(0, 1, 50)})
    write_table_as_collection(rows, tmp_path / "sky", "sky", rows_per_partition=10)
    version = put(tmp_path / "sky", "sky", store=store)
    table = tsm.open_product("sky", store).sort_values("id")
    assert table["z"].tolist() == rows["z"].to_pylist()
    assert put(tmp_path / "sky", "sky", store=store) == version


def test_compressed_files_are_read_and_named_by_their_stem(store, tmp_path):
    with gzip.open(tmp_path / "deep.csv.gz", "wt") as file:
        file.write(CSV)
    assert str(put(tmp_path / "deep.csv.gz", store=store)) == "deep@1"


@pytest.mark.parametrize(("file", "name"), [
    ("My Redshifts (v2).csv.gz", "my_redshifts_v2"), ("VIPERS-PDR2.fits", "vipers_pdr2"),
    ("sky", "sky"), ("2dF.x", "2df_x"), ("é" * 3 + "a.csv", "a"), ("a" * 99, "a" * 63),
    ("deep.v1.2.fits", "deep_v1_2"), ("a.csv.zip", "a"),
])
def test_a_name_is_made_from_the_files(file, name):
    assert name_for(Path(file)) == name


@pytest.mark.parametrize("file", ["ééé.csv", "---", ""])
def test_where_no_name_can_be_made_one_is_asked_for(file):
    assert code_of(lambda: name_for(Path(file))) == Code.PRODUCT_NAME


@pytest.fixture
def several(tmp_path):
    """An HDF5 file of two tables."""
    with h5py.File(tmp_path / "deep.hdf5", "w") as file:
        for table, z in (("spectra/2025", [0.1, 0.2]), ("spectra/2026", [0.3, 0.4, 0.5])):
            file.create_group(table).create_dataset("z", data=z)
    return tmp_path / "deep.hdf5"


def test_one_of_several_tables_of_a_file_is_put(store, several, tmp_path):
    both = [put(several, table=f"spectra/{year}", store=store) for year in (2025, 2026)]
    assert [str(version) for version in both] == ["deep_spectra_2025@1", "deep_spectra_2026@1"]
    assert tsm.open_product("deep_spectra_2025", store)["z"].tolist() == [0.1, 0.2]
    assert tsm.open_product("deep_spectra_2026", store)["z"].tolist() == [0.3, 0.4, 0.5]
    assert put(several, table="spectra/2026", store=store) == both[1]
    second = put(several, "deep_spectra_2025", table="spectra/2026", store=store)
    assert (second.version, second.ref) == (2, both[1].ref)


def test_a_table_that_is_not_in_the_file_is_refused(store, several, csv, tmp_path):
    for table in (None, "spectra/2027"):
        assert code_of(lambda table=table: put(several, table=table, store=store)
                       ) == Code.FILE_FORMAT
    assert code_of(lambda: put(csv, table="a", store=store)) == Code.FILE_FORMAT
    rows = pa.table({"ra": [1.0], "dec": [2.0], "z": [0.5]})
    write_table_as_collection(rows, tmp_path / "sky", "sky")
    assert code_of(lambda: put(tmp_path / "sky", table="a", store=store)) == Code.FILE_FORMAT
    assert store.products.names() == ()


def test_a_name_is_refused_before_the_work(store, csv, monkeypatch):
    put(csv, "deep", store=store)
    ref = open_store(store.location).find(store.products.get("deep").ref.address).ref
    store.products.add("combined", "compilation", {"a": ref}, "a")
    monkeypatch.setattr("pz_tsm_core.products.readable", lambda *_: pytest.fail("it was read"))
    csv.write_text(CSV + "3,12,4,0.7\n")
    for name in ("Deep", "deep@1", "combined"):
        assert code_of(lambda name=name: put(csv, name, store=store)) == Code.PRODUCT_NAME


@pytest.mark.parametrize(("content", "code"), [
    ("", Code.TABLE_EMPTY), ("a,b\n", Code.TABLE_EMPTY), (None, Code.FILE_MISSING)])
def test_what_is_no_table_is_refused_and_leaves_no_product(store, tmp_path, content, code):
    file = tmp_path / "bad.csv"
    if content is not None:
        file.write_text(content)
    assert code_of(lambda: put(file, store=store)) == code
    assert store.products.names() == ()


@pytest.mark.parametrize("endless", ["pipe.csv", "/dev/zero"])
def test_what_is_no_regular_file_is_refused_and_not_read(store, tmp_path, endless):
    os.mkfifo(tmp_path / "pipe.csv")
    assert code_of(lambda: put(tmp_path / endless, "endless", store=store)) == Code.FILE_MISSING


def test_a_file_that_changes_meanwhile_is_refused(store, csv, monkeypatch):
    from pz_tsm_core import products as door

    real = door.readable

    def slow(path, table):
        seen = real(path, table)
        csv.write_text(CSV + "3,12,4,0.7\n")
        return seen

    monkeypatch.setattr(door, "readable", slow)
    assert code_of(lambda: put(csv, "deep", store=store)) == Code.FILE_CHANGED
    assert store.products.names() == ()


def test_a_private_table_is_seen_by_its_owner_alone(csv, tmp_path):
    alice, bob = (open_store(tmp_path / "store", Principal(name=name)) for name in ("alice", "bob"))
    put(csv, "deep", access=Access(kind="private", name="alice"), store=alice)
    assert len(tsm.open_product("deep", alice)) == 2
    assert len(tsm.list_products(bob)) == 0
    assert code_of(lambda: tsm.open_product("deep", bob)) == Code.PRODUCT_UNKNOWN
    mine = Access(kind="private", name="alice")
    assert code_of(lambda: put(csv, "deep", access=mine, store=bob)) == Code.STORE_ACCESS


def test_products_are_listed_as_a_table(store, csv):
    for rows in ("", "3,12,4,0.7\n"):
        csv.write_text(CSV + rows)
        put(csv, "deep", store=store)
    listed = tsm.list_products(store)
    assert isinstance(listed, pd.DataFrame)
    assert listed[["product", "version", "kind", "rows", "access"]].values.tolist() == [
        ["deep", 2, "table", 3, "public"], ["deep", 1, "table", 2, "public"]]
    again = {"put": store.products.get("deep@1").ref}
    store.products.add("deep", "table", again, "put", candidate=True)
    assert tsm.list_products(store)["candidate"].tolist() == [True, False, False]
    store.products.withdraw("deep@3")
    folder = store.directory(store.products.get("deep@1").ref)
    (folder / "manifest.json").unlink()
    assert tsm.list_products(store)["rows"].isna().tolist() == [False, True]


def test_the_usual_store_and_principal_are_those_of_the_environment(csv, tmp_path, monkeypatch):
    monkeypatch.setenv("PZ_TSM_STORE", str(tmp_path / "usual"))
    monkeypatch.setenv("PZ_TSM_PRINCIPAL", "alice")
    tsm.put(csv, "deep", access=Access(kind="private", name="alice"))
    assert len(tsm.open_product("deep")) == 2
    assert tsm.list_products(tmp_path / "usual")["access"].tolist() == ["private:alice"]
    monkeypatch.setenv("PZ_TSM_PRINCIPAL", "bob")
    assert len(tsm.list_products()) == 0


def test_a_training_set_and_a_compilation_open_by_their_main_tables(mock_run):
    store, made = mock_run.store, {label: m.ref for label, m in mock_run.manifests.items()}
    store.products.add("set", "training_set", made, "export")
    store.products.add("redshifts", "compilation", made, "combine")
    assert len(tsm.open_product("set", store)) == len(mock_run.table("split", "training_set"))
    assert len(tsm.open_product("redshifts", store)) == len(mock_run.table("combine", "galaxies"))


def test_a_training_set_written_for_rail_alone_opens_as_it_was_split(run, mock_recipe, tmp_path):
    output = mock_recipe.output.model_copy(update={"formats": ("hdf5",)})
    store = open_store(tmp_path / "store")
    done = run(mock_recipe.model_copy(update={"output": output}), store)
    made = {label: manifest.ref for label, manifest in done.manifests.items()}
    store.products.add("set", "training_set", made, "export")
    assert len(tsm.open_product("set", store)) == len(done.table("split", "training_set"))
