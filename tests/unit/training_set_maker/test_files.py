"""Files in and out: formats, paths, `process.yml`, and nothing half done."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import lsdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
import yaml
from astropy.table import Table

from pz_tsm_core import tables, training_set_maker
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.existing import publish
from pz_tsm_core.export.one_table import write_table
from pz_tsm_core.sky.write import write_table_as_collection


def process(folder):
    return yaml.safe_load((folder / "process.yml").read_text())


def test_a_run_leaves_what_the_existing_pipeline_leaves(setup):
    done = setup.run()
    published = setup.folder / "out" / "outputs"
    for folder in (setup.folder / "run", published):
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {
            "config.yml", "tsm.parquet", "process.yml", "process_info",
            "process_info/pipeline.log"}
    assert done.product == published / "tsm.parquet"
    assert (published / "config.yml").read_text() == (setup.folder / "config.yaml").read_text()


def test_process_yml_says_what_a_service_registers(setup):
    setup.run()
    told = process(setup.folder / "out" / "outputs")
    assert told["status"] == "Successful"
    assert told["outputs"] == [{
        "path": "outputs/tsm.parquet", "root_dir": str(setup.folder / "out"), "role": "main",
        "columns_assoc": {"id": "ID", "ra": "ra_specz", "dec": "DEC", "z": "Z"}}]
    begin, end = (datetime.fromisoformat(told[key]) for key in ("start_time", "end_time"))
    assert begin <= end
    assert told["log_file"] == "process_info/pipeline.log"
    assert told == process(setup.folder / "run")


def test_columns_that_are_mapped_to_nothing_are_not_associated(setup):
    setup.entries[0]["columns"].update(z_err=None, survey="", z_flag="null")
    assert set(setup.make().associated) == {"id", "ra", "dec", "z"}


def test_the_output_folder_counts_from_the_folder_of_the_run(setup):
    setup.config["output_root_dir"] = "."
    done = training_set_maker.run(setup.write())
    assert done.product == Path("process001/outputs/tsm.parquet")
    assert done.product.is_file()
    assert training_set_maker.run(setup.write()).folder.name == "process002"


def test_the_configuration_may_lie_in_the_folder_of_the_run(setup):
    """As an orchestrator starts it: `run.sh <folder>/config.yml <folder>`."""
    file = setup.write()
    (setup.folder / "00000007").mkdir()
    file.rename(setup.folder / "00000007" / "config.yml")
    done = training_set_maker.run("00000007/config.yml", "00000007")
    assert done.made.table.num_rows == 3


def test_the_log_counts_rows_and_says_who_did_the_work(setup):
    setup.param["duplicate_criteria"] = "closest"
    text = setup.run().log.read_text()
    assert "executor `local`: read, and left alone; the work is done in this process" in text
    assert "specz.parquet: 4 rows, 4 columns" in text
    assert "3 of 4 redshifts have an object within 1 arcsec; 3 rows" in text
    assert "2 rows have an object that another row has as well" in text
    assert "fraction 0.7, random_seed 2026" in text
    assert "param.duplicate_criteria: has no effect, as in the existing pipeline" in text


def failed(setup, match):
    """Run what fails; the published product and its status stay as they were."""
    published = setup.folder / "out" / "outputs"
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    assert before
    with pytest.raises(TsmError, match=match):
        setup.run("failed")
    assert process(setup.folder / "failed")["status"] == "Failed"
    assert "ERROR" in (setup.folder / "failed" / "process_info" / "pipeline.log").read_text()
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before


def test_a_wrong_configuration_fails_and_leaves_the_product_alone(setup):
    setup.run()
    setup.param["split_method"] = "kfold"
    failed(setup, "split_method")


def test_no_match_fails_and_leaves_the_product_alone(setup):
    setup.run()
    setup.specz["ra"] = [90.0] * 4
    failed(setup, r"match\.empty")


def test_a_disk_that_refuses_fails_and_leaves_the_product_alone(setup, monkeypatch):
    setup.run()

    def full(table, path, format_):
        path.write_bytes(b"half")
        raise TsmError(*caught.problems)

    from pz_tsm_core.errors import refuse

    caught = refuse(Code.STORE_IO, "disk", found="no space", expected="space", remedy="make room")
    monkeypatch.setattr(publish, "write_table", full)
    failed(setup, "no space")
    assert not (setup.folder / "failed" / "tsm.parquet").exists()


@pytest.mark.parametrize("format_", ["parquet", "csv", "fits", "hdf5", "hats"])
def test_every_format_holds_the_same_product(setup, format_):
    expected = setup.make().table.sort_by("ID")
    setup.config["output_format"] = format_
    product = setup.run().product
    assert product.name == f"tsm.{format_}"
    got = tables.read(product).sort_by("ID")
    assert set(got.column_names) == set(expected.column_names)
    for name in expected.column_names:
        assert got[name].cast(expected[name].type).equals(expected[name]), name


def test_a_hats_product_opens_with_its_margin(setup):
    setup.config["output_format"] = "hats"
    setup.run()
    product = setup.run().product  # a folder is replaced as a file is
    catalog = lsdb.open_catalog(str(product))
    info = catalog.margin.hc_structure.catalog_info
    assert (info.catalog_name, info.margin_threshold) == ("margin_5arcs", 5.0)
    assert (product / "margin_5arcs").is_dir()
    assert catalog.hc_structure.catalog_info.ra_column == "ra"
    assert len(catalog.compute(progress_bar=False)) == 3


def test_a_hats_product_without_ra_and_dec_lies_where_its_redshifts_are(setup):
    setup.specz["RA"] = setup.specz.pop("ra")
    setup.objects = {"id": [1, 2], "coord_ra": [10.0, 20.0], "coord_dec": [0.0, 0.0]}
    setup.entries[0]["columns"]["ra"] = "RA"
    setup.config["output_format"] = "hats"
    info = lsdb.open_catalog(str(setup.run().product)).hc_structure.catalog_info
    assert (info.ra_column, info.dec_column) == ("RA", "DEC")


def written(table, path):
    """The table in the format that the name says, by libraries that are not ours if there are."""
    if path.suffix == ".fits":
        Table(table.to_pydict()).write(path)
    elif path.suffix == ".csv":
        pacsv.write_csv(table, path)
    elif path.suffix == ".hdf5":
        write_table(table, path, "hdf5")
    else:
        write_table_as_collection(table, path, "catalog", ra_column="ra", dec_column="DEC")


@pytest.mark.parametrize("format_", ["csv", "fits", "hdf5", "hats"])
@pytest.mark.parametrize("asked", [None, "specz"])
def test_redshifts_may_have_any_format_and_the_product_has_the_same(setup, format_, asked):
    expected = setup.make().table.sort_by("ID")
    name = "specz_collection" if format_ == "hats" else f"specz.{format_}"
    written(pa.table(setup.specz), setup.folder / name)
    setup.entries[0].update(path=name, format=format_)
    setup.config["output_format"] = asked
    done = setup.run()
    assert done.product.name == f"tsm.{format_}"
    assert done.made.table.sort_by("ID").to_pylist() == expected.to_pylist()


def test_without_any_word_for_a_format_the_name_of_the_redshifts_says_it(setup):
    del setup.config["output_format"], setup.entries[0]["format"]
    assert setup.run().product.name == "tsm.parquet"


def test_paths_count_from_the_configuration_then_from_here(setup, monkeypatch):
    setup.write()
    (setup.folder / "elsewhere").mkdir()
    (setup.folder / "specz.parquet").rename(setup.folder / "elsewhere" / "specz.parquet")
    monkeypatch.chdir(setup.folder / "elsewhere")
    done = training_set_maker.run(setup.folder / "config.yaml", "run")
    assert done.made.table.num_rows == 3
