"""Dust in a notebook and in the stage `correct`: values by hand, and what addresses depend on."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord

import pz_tsm_core as tsm
from pz_tsm_core.dust import dust_digests, get_coefficients, map_keys
from pz_tsm_core.mock.dust import ebv_at_latitude
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.releases import get_release
from tasks import correct

FLUX = 1000.0  # nJy
RAW = 31.4 - 2.5 * np.log10(FLUX)


def matches(**columns):
    """Matched objects, each as bright in every band; far from the Galactic plane."""
    base = {"coord_ra": [53.1, 150.1, 34.5], "coord_dec": [-28.1, 2.2, -5.0],
            "ebv": [0.1, 0.2, np.nan]}
    fluxes = {f"{band}_cModelFlux{err}": [value] * 3 for band in "ugrizy"
              for err, value in (("", FLUX), ("Err", 10.0))}
    flags = {f"{band}_cModel_flag": [False] * 3 for band in "ugrizy"}
    return pd.DataFrame(base | fluxes | flags | columns)


@pytest.mark.parametrize("name", map_keys())
@pytest.mark.parametrize("coefficients", ["lsst_dm", dict.fromkeys("ugrizy", 3.3)])
def test_magnitudes_are_those_of_the_field_and_the_coefficients(name, coefficients, maps):
    table = matches()
    given = tsm.magnitudes(table, dust_map=name, dust_maps=maps, coefficients=coefficients,
                           scale=0.9)
    latitude = SkyCoord(table["coord_ra"], table["coord_dec"], unit="deg").galactic.b.deg
    ebv = 0.9 * ebv_at_latitude(latitude)
    values = coefficients if isinstance(coefficients, dict) else get_coefficients("lsst_dm").values
    for band in "ugrizy":
        # A pixel of the HEALPix maps is 0.9 degrees wide; so far from the plane that is 2 mmag.
        assert given[f"mag_{band}"].to_numpy() == pytest.approx(RAW - values[band] * ebv, abs=8e-3)
    assert given["ebv_applied"].to_numpy() == pytest.approx(ebv, abs=2e-3)


def test_the_column_of_the_release_serves_as_a_map():
    given = tsm.magnitudes(matches(), dust_map="catalog", coefficients="sf11")
    assert given["mag_i"].to_numpy()[:2] == pytest.approx(RAW - 1.684 * np.array([0.1, 0.2]))


def test_a_row_without_reddening_has_no_magnitudes():
    given = tsm.magnitudes(matches(), dust_map="catalog")
    for band in "ugrizy":
        assert given[f"mag_{band}"].isna().tolist() == [False, False, True]


def test_maps_are_named_or_follow_from_their_folder(maps, tmp_path, monkeypatch):
    plain = tsm.magnitudes(matches())
    assert plain["mag_g"].to_numpy() == pytest.approx(RAW)
    sfd = tsm.magnitudes(matches(), dust_maps=maps)
    named = tsm.magnitudes(matches(), dust_map="sfd", dust_maps=maps)
    pd.testing.assert_frame_equal(sfd, named)
    monkeypatch.setenv("PZ_TSM_DUSTMAPS", str(maps))
    pd.testing.assert_frame_equal(sfd, tsm.magnitudes(matches(), dust_map="sfd"))
    monkeypatch.setenv("PZ_TSM_DUSTMAPS", str(tmp_path))
    with pytest.raises(tsm.TsmError, match="tsm dustmaps fetch"):
        tsm.magnitudes(matches(), dust_map="sfd")


@pytest.mark.parametrize(("choice", "key"), [
    ({"dust_map": "planck", "coefficients": "sf11"}, "photometry.dereddening.coefficients"),
    ({"dust_map": "catalog", "coefficients": "sf11", "scale": 0.86},
     "photometry.dereddening.scale"),
    ({"dust_map": "catalog", "coefficients": {"g": 3.3}}, "photometry.dereddening.values"),
    ({"dust_map": "bayestar"}, "photometry.dereddening.map"),
])
def test_a_notebook_is_refused_what_a_recipe_is(choice, key):
    with pytest.raises(tsm.TsmError) as refused:
        tsm.magnitudes(matches(), **choice)
    assert [each.where for each in refused.value.problems] == [key]


def test_an_address_holds_the_map_the_coefficients_and_the_factor_and_no_folder(maps, tmp_path):
    shutil.copytree(maps, tmp_path / "elsewhere")
    matched = ArtifactRef(stage="crossmatch", address="0" * 64, content="1" * 64)

    def address(folder=maps, **choice):
        dereddening = Dereddening(directory=str(folder), **choice)
        pin = DustPin(choice=dereddening, digests=dust_digests(dereddening))
        policy = PhotometryPolicy(dereddening=dereddening)
        return correct.request(matched, get_release("dp1"), policy, pin).address

    first = address()
    assert address(tmp_path / "elsewhere") == first
    own = {"coefficients": "custom", "values": dict.fromkeys("ugrizy", 3.0)}
    different = [first, address(map="csfd"), address(map="planck"), address(map="gnilc"),
                 address(map="catalog"), address(map="none"), address(coefficients="sf11"),
                 address(scale=1.01), address(**own),
                 address(**own | {"values": own["values"] | {"u": 3.1}})]
    assert len(set(different)) == len(different)
    file = tmp_path / "elsewhere" / "sfd" / "SFD_dust_4096_ngp.fits"
    data = bytearray(file.read_bytes())
    data[-5000] ^= 1
    file.write_bytes(data)
    assert address(tmp_path / "elsewhere") not in different
