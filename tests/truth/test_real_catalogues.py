"""Thirteen real catalogues through the compilation: every row accounted for, every pair found."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky

from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys import survey_keys

FILES = {
    "2dfgrs": "2dfgrs_final_release_random_sample.parquet",
    "2dflens": "2dflens_final_release_random_sample.parquet",
    "2mrs": "2mrs_v240_random_sample.parquet",
    "3dhst": "3dhst_v4.1.5_random_sample.parquet",
    "6dfgs": "6dfgs_dr3_random_sample.parquet",
    "astrodeep_gs43": "astrodeep-gs43_random_sample.parquet",
    "candels": "z_cat_CANDELS_clean_sitcomtn-154_random_sample.parquet",
    "desi_dr1": "desi_dr1_in_lsst_dp1_fields_random_sample.parquet",
    "mosdef": "mosdef_final_release_random_sample.parquet",
    "primus": "primus_dr1_random_sample.parquet",
    "vandels": "vandels_dr4_random_sample.parquet",
    "vimos_goods": "vlt_vimos_v2.0.1_random_sample.parquet",
    "vuds_dr1": "vuds_dr1_random_sample.parquet",
}


@pytest.fixture(scope="module")
def real(shared_data, run, tmp_path_factory):
    surveys = [{"survey": survey, "file": str(shared_data / "specz" / file)}
               for survey, file in FILES.items()]
    recipe = Recipe.model_validate({
        "schema": 1, "name": "real", "redshifts": {"surveys": surveys},
        "output": {"directory": str(tmp_path_factory.mktemp("out"))},
    })
    return run(recipe, open_store(tmp_path_factory.mktemp("store")))


def test_all_surveys_are_of_the_registry(shared_data) -> None:
    assert set(FILES) <= set(survey_keys())
    rows = sum(pq.read_metadata(shared_data / "specz" / file).num_rows for file in FILES.values())
    assert rows == 12_698


def test_every_row_is_in_the_output_or_has_one_reason(real, shared_data) -> None:
    for survey, file in FILES.items():
        n = pq.read_metadata(shared_data / "specz" / file).num_rows
        rows = real.manifests[f"standardize {survey}"].rows
        assert rows.taken == n
        assert rows.given + sum(rows.dropped.values()) == n
    combined = real.manifests["combine"].rows
    given = sum(real.manifests[f"standardize {survey}"].rows.given for survey in FILES)
    assert combined.taken == given == len(real.table("combine", "measurements"))
    assert combined.given + sum(combined.dropped.values()) == given
    assert combined.given == len(real.table("combine", "galaxies"))


def test_pairs_are_those_of_astropy(real) -> None:
    measured = real.table("combine", "measurements")
    sky = SkyCoord(measured["ra"].to_numpy(), measured["dec"].to_numpy(), unit="deg")
    first, second, separation, _ = search_around_sky(sky, sky, 0.75 * u.arcsec)
    ids = measured["row_id"].to_numpy()
    expected = {(ids[a], ids[b]): s for a, b, s in zip(first, second, separation.arcsec,
                                                       strict=True) if ids[a] < ids[b]}
    pairs = real.table("combine", "pairs")
    found = dict(zip(zip(pairs["row_id_1"].to_pylist(), pairs["row_id_2"].to_pylist(),
                         strict=True), pairs["separation"].to_pylist(), strict=True))
    assert found.keys() == expected.keys()
    assert np.allclose([found[pair] for pair in expected], list(expected.values()), atol=1e-6)
    assert found
    survey = dict(zip(measured["row_id"].to_pylist(), measured["survey"].to_pylist(), strict=True))
    shared = {frozenset((survey[a], survey[b])) for a, b in found}
    # Repeats within a survey, and surveys of the same field.
    assert {frozenset(["mosdef"]), frozenset(["candels", "astrodeep_gs43"])} <= shared


def test_every_group_has_at_most_one_winner(real) -> None:
    measured = real.table("combine", "measurements").to_pandas()
    winners = measured[measured.reason <= 1].groupby("galaxy_id").size()
    assert (winners == 1).all()
