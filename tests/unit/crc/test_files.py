"""Files in and out: formats, paths, `process.yml`, and nothing half done."""

from __future__ import annotations

import bz2
import gzip
import lzma
from datetime import datetime
from pathlib import Path

import lsdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
import yaml
from astropy.table import Table

from pz_tsm_core import crc, tables
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.export.one_table import write_table
from pz_tsm_core.sky.write import write_table_as_collection


def process(folder):
    return yaml.safe_load((folder / "process.yml").read_text())


def test_a_run_leaves_what_the_existing_pipeline_leaves(setup):
    done = setup.run()
    published = setup.folder / "out" / "outputs"
    for folder in (setup.folder / "run", published):
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {
            "config.yaml", "crd.parquet", "process.yml", "process_info",
            "process_info/pipeline.log",
            "flags_translation.yaml" if folder == published else "rules.yaml"}
    assert done.product == Path("out/outputs/crd.parquet")
    assert (published / "config.yaml").read_text() == (setup.folder / "config.yaml").read_text()


def test_process_yml_says_what_a_service_registers(setup):
    setup.run()
    told = process(setup.folder / "out" / "outputs")
    assert told["status"] == "Successful"
    assert told["outputs"] == [{
        "path": "outputs/crd.parquet", "root_dir": "out", "role": "main", "columns_assoc": {
            "id": "CRD_ID", "ra": "ra", "dec": "dec", "z": "z", "z_flag": "z_flag_homogenized",
            "survey": "survey"}}]
    begin, end = (datetime.fromisoformat(told[key]) for key in ("start_time", "end_time"))
    assert begin <= end
    assert told == process(setup.folder / "run")


def test_what_others_wrote_into_process_yml_stays(setup):
    (setup.folder / "run").mkdir()
    (setup.folder / "run" / "process.yml").write_text("id: 7\nstatus: Queued\noutputs: []\n")
    setup.run()
    assert (process(setup.folder / "run")["id"], process(setup.folder / "run")["status"]) == (
        7, "Successful")


def test_the_log_counts_rows_and_says_who_did_the_work(setup):
    setup.param["z_flag_homogenized_value_to_cut"] = 3
    text = setup.run().log.read_text()
    assert "001_one: 3 of 4 rows; 1 z_flag_homogenized below 3" in text
    assert "done in this process" in text
    assert "2 pairs within 0.5 arcsec" in text
    assert "tie_result 0: 2, 1: 3, 2: 0, 3: 1" in text


def test_without_a_folder_the_next_number_is_taken(setup):
    config = setup.write()
    assert [crc.run(config).folder.name for _ in range(2)] == ["process001", "process002"]


def test_a_run_can_be_repeated_in_its_folder(setup):
    first = setup.run().product.read_bytes()
    assert setup.run().product.read_bytes() == first


def test_paths_count_from_the_configuration_then_from_here(setup, monkeypatch):
    setup.write()
    (setup.folder / "elsewhere").mkdir()
    (setup.folder / "two.parquet").rename(setup.folder / "elsewhere" / "two.parquet")
    monkeypatch.chdir(setup.folder / "elsewhere")
    done = crc.run(setup.folder / "config.yaml", "run")
    assert done.combined.table.num_rows == 7
    assert (setup.folder / "elsewhere" / "out" / "outputs" / "crd.parquet").is_file()


def failed(setup, match):
    """Run what fails; the published product and its status stay as they were."""
    published = setup.folder / "out" / "outputs"
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    with pytest.raises(TsmError, match=match):
        setup.run("failed")
    assert process(setup.folder / "failed")["status"] == "Failed"
    assert "end_time" in process(setup.folder / "failed")
    log = setup.folder / "failed" / "process_info" / "pipeline.log"
    assert "ERROR" in log.read_text()
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before


def test_a_wrong_configuration_fails_and_leaves_the_product_alone(setup):
    setup.run()
    setup.param["combine_type"] = "mix"
    failed(setup, "combine_type")


def test_a_wrong_catalogue_fails_and_leaves_the_product_alone(setup):
    setup.run()
    setup.tables["one.parquet"]["RA"][0] = 400.0
    failed(setup, r"position\.out-of-range")


def test_a_disk_that_refuses_fails_and_leaves_the_product_alone(setup, monkeypatch):
    setup.run()
    from pz_tsm_core.existing import publish

    def full(table, path, format_):
        path.write_bytes(b"half")
        raise TsmError(*[TsmErrorProblem])

    from pz_tsm_core.errors import refuse

    TsmErrorProblem = refuse(Code.STORE_IO, "disk", found="no space", expected="space",
                             remedy="make room").problems[0]
    monkeypatch.setattr(publish, "write_table", full)
    failed(setup, "no space")
    assert not (setup.folder / "failed" / "crd.parquet").exists()


def test_a_run_that_is_interrupted_has_failed(setup, monkeypatch):
    from pz_tsm_core.existing import publish

    def interrupted(*_):
        assert process(setup.folder / "run")["status"] == "Failed"  # a kill leaves it so
        raise KeyboardInterrupt

    monkeypatch.setattr(publish, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        setup.run()
    assert process(setup.folder / "run")["status"] == "Failed"


def test_a_configuration_that_is_not_there_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TsmError) as caught:
        crc.run("none.yaml")
    assert caught.value.codes == (Code.FILE_MISSING,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ["parquet", "csv", "fits", "hdf5", "hats"])
def test_every_format_holds_the_same_product(setup, format_):
    expected = setup.combine().sort_by("CRD_ID")
    setup.config["output_format"] = format_
    product = setup.run().product
    assert product.name == f"crd.{format_}"
    got = tables.read(product).sort_by("CRD_ID")
    assert set(got.column_names) == set(expected.column_names)
    for name in expected.column_names:
        kind = expected[name].type
        values = [None if value in ("", None) or value != value else value
                  for value in got[name].cast(kind).to_pylist()]
        assert values == expected[name].to_pylist(), name


def test_a_hats_product_opens_with_its_margin(setup):
    setup.config["output_format"] = "hats"
    setup.run()
    product = setup.run().product  # a folder is replaced as a file is
    catalog = lsdb.open_catalog(str(product))
    assert catalog.margin.hc_structure.catalog_info.margin_threshold == 5.0
    assert len(catalog.compute()) == 7


def written(table, path):
    """The table in the format that the name says, by libraries that are not ours."""
    columns = table.to_pydict()
    if path.suffix == ".fits":
        filled = {name: ["" if value is None else value for value in values]
                  for name, values in columns.items()}
        Table(filled).write(path)
    elif path.suffix == ".hdf5":
        write_table(table, path, "hdf5")
    elif path.suffix == ".hats":
        _, ra, dec, *_ = table.column_names
        write_table_as_collection(table, path / "below" / "it", "cat", ra_column=ra,
                                  dec_column=dec)
    else:
        mark = {".tsv": "\t", ".txt": "|"}.get(Path(path.stem).suffix or path.suffix, ",")
        if path.name.endswith("semi.csv"):
            mark = ";"
        sink = pa.BufferOutputStream()
        pacsv.write_csv(table, sink, pacsv.WriteOptions(delimiter=mark))
        text = sink.getvalue().to_pybytes()
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
                ".zst": lambda data: pa.compress(data, "zstd", asbytes=True)}.get(path.suffix)
        path.write_bytes(pack(text) if pack else text)
    return path.name


@pytest.mark.parametrize("ending", [
    "x.csv", "semi.csv", "x.tsv", "x.txt", "x.csv.gz", "x.tsv.bz2", "x.txt.xz", "x.csv.zst",
    "x.fits", "x.hdf5", "x.hats"])
def test_every_format_of_a_catalogue_gives_the_same_rows(setup, ending):
    expected = setup.combine().sort_by("CRD_ID").drop_columns(["CRD_ID", "compared_to",
                                                               "group_id"])
    for entry in setup.entries:
        name = entry["path"].removesuffix(".parquet")
        table = pa.table(setup.tables[f"{name}.parquet"])
        entry["path"] = written(table, setup.folder / f"{name}_{ending}")
    got = setup.combine().sort_by("CRD_ID").drop_columns(["CRD_ID", "compared_to", "group_id"])
    order = [("source", "ascending"), ("id", "ascending")]
    assert got.sort_by(order).to_pylist() == expected.sort_by(order).to_pylist()


def test_rows_of_numbers_without_names_are_called_by_their_places(setup):
    (setup.folder / "plain.txt").write_text("10.0 10.0 0.5 TWO\n".replace(" ", "\t") * 2)
    setup.config["inputs"]["specz"] = [{
        "path": "plain.txt", "internal_name": "5_plain",
        "columns": {"ra": "col_0", "dec": "col_1", "z": "col_2", "survey": "col_3"}}]
    assert setup.column("compared_to") == {"CRD5_1": "CRD5_2", "CRD5_2": "CRD5_1"}


def test_texts_for_truths_and_nothing_are_read_from_text_files(setup):
    (setup.folder / "t.csv").write_text(
        "ra,dec,z,survey,primary,name\n1,1,0.5,ONE,TRUE,NA\n2,2,0.6,ONE,false,x\n")
    setup.rules["translation_rules"]["ONE"]["z_flag_translation"] = {
        "default": 1, "conditions": [{"expr": "primary", "value": 4}]}
    setup.config["inputs"]["specz"] = [{
        "path": "t.csv", "internal_name": "5_t",
        "columns": {"ra": "ra", "dec": "dec", "z": "z", "survey": "survey", "id": "name"}}]
    rows = setup.rows()
    assert [row["z_flag_homogenized"] for row in rows.values()] == [4.0, 1.0]
    assert [row["id"] for row in rows.values()] == [None, "x"]


def test_hundreds_of_columns_that_nobody_asks_for_are_not_read(setup):
    one = setup.tables["one.parquet"]
    one["lists"] = [[1, 2]] * 4  # no table of ours holds it
    one |= {f"flux_{n}": np.arange(4.0) for n in range(50)}
    assert setup.combine().num_rows == 7
