"""The HDF5 layout that RAIL reads, opened with h5py alone."""

from __future__ import annotations

import h5py
import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.export.rail import rail_names, write_rail
from pz_tsm_core.model.schema import GALAXY_ID, photometric_columns

ID = 576460752321327074  # no float64 holds it


@pytest.fixture
def table() -> pa.Table:
    columns = photometric_columns("u")
    mag, mag_err = columns["mag"], columns["mag_err"]
    schema = pa.schema([GALAXY_ID.field, ("objectId", pa.int64()), ("z", pa.float64()),
                        ("z_err", pa.float64()), mag.field, mag_err.field,
                        ("split", pa.string())])
    return pa.table([
        pa.array([1, 2, 3], pa.int64()), pa.array([ID, ID + 1, ID + 2]),
        pa.array([0.1, 0.2, 0.3]), pa.array([0.01, None, 0.02]),
        pa.array([25.0, None, 24.0]), pa.array([0.1, None, 0.2]),
        pa.array(["train", "test", "train"]),
    ], schema=schema)


@pytest.fixture
def files(table, tmp_path):
    paths = {part: tmp_path / f"{part}.hdf5" for part in ("train", "test", "validation")}
    counts = write_rail(paths, table.to_batches(max_chunksize=2), table.schema,
                        names=rail_names(table.column_names), provenance={"a": 1})
    assert counts == {"train": 2, "test": 1, "validation": 0}
    return paths


def test_every_column_is_one_flat_dataset_under_photometry(files) -> None:
    with h5py.File(files["train"]) as file:
        assert list(file) == ["photometry"]
        group = file["photometry"]
        assert set(group) == {"object_id", "galaxy_id", "redshift", "redshift_err", "mag_u_lsst",
                              "mag_err_u_lsst"}
        assert all(dataset.shape == (2,) for dataset in group.values())


def test_ids_keep_all_their_digits(files) -> None:
    with h5py.File(files["train"]) as file:
        assert file["photometry/object_id"].dtype == np.int64
        assert file["photometry/object_id"][:].tolist() == [ID, ID + 2]


def test_non_detections_are_99_and_unknown_errors_nan(files) -> None:
    with h5py.File(files["test"]) as file:
        assert file["photometry/mag_u_lsst"][:].tolist() == [99.0]
        assert file["photometry/mag_err_u_lsst"][:].tolist() == [99.0]
        assert np.isnan(file["photometry/redshift_err"][0])


def test_units_and_ucds_stand_beside_the_values(files) -> None:
    with h5py.File(files["train"]) as file:
        assert file["photometry/mag_u_lsst"].attrs["unit"] == "mag"
        assert file["photometry/mag_u_lsst"].attrs["ucd"] == "phot.mag;em.opt.U"
        assert file.attrs["pz_tsm_manifest"] == '{"a": 1}'


def test_equal_rows_in_other_batches_give_equal_datasets(table, files, tmp_path) -> None:
    again = {"train": tmp_path / "again.hdf5"}
    write_rail(again, table.to_batches(), table.schema, names=rail_names(table.column_names),
               provenance={"a": 1})
    with h5py.File(again["train"]) as ours, h5py.File(files["train"]) as theirs:
        for name in ours["photometry"]:
            assert np.array_equal(ours["photometry"][name], theirs["photometry"][name])


def test_nothing_detected_is_99_nothing_measured_is_minus_99_and_an_unknown_error_99(tmp_path):
    columns = photometric_columns("u") | {
        f"psf {name}": column for name, column in photometric_columns("u", "psf").items()}
    names = ["mag", "mag_err", "det", "psf mag", "psf mag_err", "psf det"]
    schema = pa.schema([("z", pa.float64()), *(columns[name].field for name in names)])
    mag, err, det = [24.0, None, None, 23.0], [0.1, None, None, None], [1, 0, None, 1]
    table = pa.table([[0.1] * 4, mag, err, det, mag[::-1], err[::-1], det[::-1]], schema=schema)
    write_rail({"": tmp_path / "x.hdf5"}, table.to_batches(), schema,
               names=rail_names(table.column_names))
    with h5py.File(tmp_path / "x.hdf5") as file:
        group = file["photometry"]
        assert group["mag_u_lsst"][:].tolist() == [24.0, 99.0, -99.0, 23.0]
        assert group["mag_err_u_lsst"][:].tolist() == [0.1, 99.0, -99.0, 99.0]
        assert group["det_u"][:].tolist() == [1, 0, -1, 1]
        assert group["mag_u_psf"][:].tolist() == [23.0, -99.0, 99.0, 24.0]
        assert group["det_u"].dtype == np.int8


def test_magnitudes_of_the_catalogue_itself_stay_behind() -> None:
    """Where they have the name by which RAIL knows ours."""
    names = rail_names(["z", "mag_i_lsst", "mag_err_i_lsst", "mag_i", "mag_err_i"])
    assert names["mag_i"] == "mag_i_lsst"
    assert "mag_i_lsst" not in names
    assert len(set(names.values())) == len(names)


def test_the_id_of_the_object_is_that_of_the_object() -> None:
    assert rail_names(["galaxy_id", "galaxy_id_lsst", "z"], "galaxy_id_lsst") == {
        "galaxy_id_lsst": "object_id", "galaxy_id": "galaxy_id", "z": "redshift"}
