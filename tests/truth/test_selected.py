"""A recipe with cuts against the recipe without, cut by pandas."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pz_tsm_core.dust import dust_digests
from pz_tsm_core.model.photometry import SelectPolicy
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.releases import get_release
from tasks.correct import correct

KEEP = ("mag_i < 24", "snr_r > 10", "refSizeExtendedness == 1", "g_r between -1 and 3")


@pytest.fixture(scope="module")
def selected(mock_run, mock_recipe, run):
    select = SelectPolicy(columns={"g_r": "mag_g - mag_r"}, keep=KEEP)
    catalog = mock_recipe.catalog.model_copy(update={"columns": ("refSizeExtendedness",)})
    recipe = mock_recipe.model_copy(update={"select": select, "catalog": catalog})
    return run(recipe, mock_run.store)


def test_rows_are_those_that_pandas_keeps_and_the_balance_says_why_others_left(selected) -> None:
    rows = selected.table("correct", "corrected").to_pandas()
    rows["g_r"] = rows.mag_g - rows.mag_r
    expected = rows.query("mag_i < 24 and snr_r > 10 and refSizeExtendedness == 1 "
                          "and -1 <= g_r <= 3")
    ours = selected.table("split", "training_set").to_pandas()
    assert 50 < len(ours) < len(rows)
    assert ours.galaxy_id.tolist() == expected.galaxy_id.tolist()
    assert np.array_equal(ours.g_r, expected.g_r)
    account = selected.manifests["select"].rows
    assert set(account.dropped) <= set(KEEP)
    assert account.dropped["mag_i < 24"] == (~(rows.mag_i < 24)).sum()
    assert account.taken == account.given + sum(account.dropped.values()) == len(rows)


def test_a_changed_cut_makes_nothing_anew_before_it(selected, mock_run) -> None:
    """Here the object catalogue brings one column more, so only what it cannot reach is equal."""
    for label in ("combine", "partition"):
        assert selected.manifests[label].ref == mock_run.manifests[label].ref


def test_not_detected_and_not_measured_are_told_apart_to_rail(mock_run) -> None:
    store, export = mock_run.store, mock_run.manifests["export"].ref
    rows = mock_run.table("split", "training_set").to_pandas()
    train = rows[rows.split == "train"]
    with h5py.File(store.directory(export) / "training_set_train.hdf5") as file:
        for band in "ugrizy":
            flux, flag = train[f"{band}_cModelFlux"], train[f"{band}_cModel_flag"].astype(bool)
            magnitudes = file[f"photometry/mag_{band}_lsst"][:]
            assert np.array_equal(magnitudes == -99, flag | flux.isna())
            assert np.array_equal(magnitudes == 99, (flux <= 0) & ~flag)
            assert file[f"photometry/det_{band}"][:].tolist() == [
                -1 if bad else int(value > 0) for bad, value in zip(
                    flag | flux.isna(), flux, strict=True)]


def test_another_zero_point_is_told_in_the_manifest(mock_run, mock_recipe) -> None:
    policy = mock_recipe.photometry.model_copy(update={"zero_point": 31.5})
    manifest = correct.run(
        mock_run.store, matches=mock_run.manifests["crossmatch"].ref, release=get_release("dp1"),
        policy=policy, dust=DustPin(choice=policy.dereddening,
                                    digests=dust_digests(policy.dereddening)))
    assert "31.5" in manifest.notes["zero_point"]
    assert "zero_point" not in mock_run.manifests["correct"].notes
    shifted = mock_run.store.read_table(manifest.ref, "corrected")["mag_i"].drop_null()
    ours = mock_run.table("correct", "corrected")["mag_i"].drop_null()
    assert np.allclose(np.subtract(shifted, ours), 0.1)
