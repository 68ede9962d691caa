"""The example inputs of the existing Training Set Maker, as they are shipped, in every format.

Its table of these inputs was made by LSDB 0.11.1, called as it calls it: 40 rows, each redshift
with the object at its own position, columns as in `COLUMNS` after its renaming.
"""

from __future__ import annotations

import pytest
import yaml

import pz_tsm_core as tsm
from pz_tsm_core import tables, training_set_maker

COLUMNS = ["ra_specz", "dec_specz", "z", "id_specz", "ra", "dec", "id", "_dist_arcsec",
           "is_training_set"]


@pytest.fixture
def config(shared_data, tmp_path, monkeypatch):
    """`config.template.yaml` of the existing pipeline, with its DATASETS_DIR filled in."""
    data = shared_data / "linea" / "training_set_maker"
    monkeypatch.chdir(tmp_path)
    return {
        "executor": {"name": "local", "args": {"n_workers": 2, "threads_per_worker": 2,
                                               "memory_limit": "1GiB"}},
        "inputs": {
            "dataset": {"path": str(data / "dr2"), "columns": {"id": "id"}},
            "specz": [{"path": str(data / "specz.parquet"), "format": "parquet",
                       "columns": {"ra": "ra", "dec": "dec"}}]},
        "output_dir": "outputs", "output_format": "csv", "output_name": "tsm",
        "param": {"use_absolute_lsdb_path": False, "selected_cols": [], "flux_type": "auto",
                  "convert_flux_to_mag": True, "dereddening": "sfd", "split_method": "random",
                  "train_fraction": 0.7, "random_seed": None,
                  "crossmatch": {"radius_arcsec": 1.0, "n_neighbors": 1}}}


def carried_out(config, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return training_set_maker.run("config.yaml", "run")


@pytest.mark.parametrize("format_", ["csv", "fits", "parquet", "hdf5", "hats"])
@pytest.mark.parametrize("specz", ["specz.parquet", "specz_collection"])
def test_the_examples_run_unmodified_in_every_format(
    config, tmp_path, shared_data, format_, specz
):
    config["inputs"]["specz"][0]["path"] = str(
        shared_data / "linea" / "training_set_maker" / specz)
    config["output_format"] = format_
    done = carried_out(config, tmp_path)
    assert done.product == tmp_path.joinpath("run", "outputs", f"tsm.{format_}").relative_to(
        tmp_path)
    got = tables.read(done.product)
    assert sorted(got.column_names) == sorted(COLUMNS)
    rows = got.to_pylist()
    assert len(rows) == 40
    for row in rows:
        assert (row["ra"], row["dec"], row["id"]) == (
            row["ra_specz"], row["dec_specz"], row["id_specz"])
        assert row["_dist_arcsec"] == 0.0
        assert row["is_training_set"] in (0, 1)


def test_a_hats_collection_of_redshifts_gives_a_hats_product(config, tmp_path, shared_data):
    config["inputs"]["specz"][0].update(
        path=str(shared_data / "linea" / "training_set_maker" / "specz_collection"), format="hats")
    config["output_format"] = None
    assert carried_out(config, tmp_path).product.name == "tsm.hats"


def test_a_notebook_gets_the_same_table(config):
    table = tsm.match_catalogs(config)
    assert list(table.columns) == COLUMNS
    assert len(table) == 40
    assert str(table["id"].dtype) == "int64[pyarrow]"


def test_the_intermediate_configuration_of_the_example_selects_its_columns(config, shared_data):
    """data-example/dr2.mag.auto.sfd.yaml, which was never more than a choice of columns."""
    config["inputs"]["dataset"]["path"] = str(shared_data / "linea" / "training_set_maker")
    config["param"]["hats_config"] = {
        "input": {"catalog_path": "dr2/mag/auto/sfd/catalog", "user_selected_cols": [
            "id", "ra", "dec"], "which_release": "dr2", "input_col_type": "mag_dered",
            "compute_magnitude": False, "compute_dereddening": False,
            "keep_input_columns_after_filters_or_transformations": True,
            "col_pattern": "MAG_BAND", "err_pattern": "MAGERR_BAND", "selected_bands": [],
            "ra_col": "ra", "dec_col": "dec", "band_case": "lower_case"},
        "output": {"col_final_pattern": "mag_BAND", "err_final_pattern": "magerr_BAND",
                   "band_case": "lower_case", "save_as": "hats", "hats_artifact_name": "catalog"}}
    table = tsm.match_catalogs(config)
    assert list(table.columns) == [*COLUMNS[:4], "id", "ra", "dec", *COLUMNS[-2:]]
