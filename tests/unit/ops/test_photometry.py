"""Magnitudes against astropy units, dust against dustmaps called directly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.dust import get_coefficients
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.ops.photometry import (
    BandFlux,
    add_magnitudes,
    deredden,
    magnitude,
    magnitude_error,
)

BANDS = [BandFlux("i", "i_flux", "i_err")]
FLUX = st.floats(1e-3, 1e9)


@given(FLUX)
def test_magnitudes_are_those_of_astropy(flux: float) -> None:
    expected = (flux * u.nJy).to_value(u.ABmag)
    # 31.4 is 8.90 + 22.5; astropy's AB zero flux makes it 31.4000.
    assert magnitude(np.array([flux]))[0] == pytest.approx(expected, abs=1e-4)


@given(FLUX)
def test_flux_to_magnitude_and_back_is_the_flux(flux: float) -> None:
    mag = magnitude(np.array([flux]))[0]
    assert 10 ** ((31.4 - mag) / 2.5) == pytest.approx(flux, rel=1e-12)


@given(FLUX, st.floats(1e-3, 0.1))
def test_the_error_is_the_derivative_of_the_magnitude(flux: float, relative: float) -> None:
    step = flux * relative * 1e-4
    slope = (magnitude(np.array([flux - step])) - magnitude(np.array([flux + step]))) / (2 * step)
    expected = slope[0] * flux * relative
    assert magnitude_error(np.array([flux]), np.array([flux * relative]))[0] == pytest.approx(
        expected, rel=1e-5)


@given(st.floats(0, 3), st.floats(0.5, 6))
def test_dereddening_brightens_by_the_extinction(ebv: float, coefficient: float) -> None:
    flux = np.array([100.0])
    corrected = deredden(flux, np.array([ebv]), coefficient)
    brighter = magnitude(flux) - magnitude(corrected)
    assert brighter[0] == pytest.approx(coefficient * ebv, abs=1e-12)


def _table(flux: list[float | None], err: list[float | None]) -> pa.Table:
    return pa.table({"i_flux": pa.array(flux, pa.float32()), "i_err": pa.array(err, pa.float32())})


def test_signal_to_noise_survives_dereddening() -> None:
    done = add_magnitudes(_table([200.0], [20.0]), BANDS, ebv=np.array([0.4]),
                          coefficients={"i": 2.06})
    assert done["mag_err_i"][0].as_py() == pytest.approx(2.5 / np.log(10) * 0.1, rel=1e-6)


@pytest.mark.parametrize("flux", [0.0, -5.0, None, float("nan"), float("inf")])
def test_a_flux_that_is_not_positive_has_no_magnitude(flux: float | None) -> None:
    done = add_magnitudes(_table([flux], [1.0]), BANDS, ebv=np.zeros(1), coefficients={"i": 2.06})
    assert done["mag_i"].null_count == done["mag_err_i"].null_count == 1
    assert done["i_flux"].equals(_table([flux], [1.0])["i_flux"]) or np.isnan(flux or 0)


@pytest.mark.parametrize("err", [0.0, -1.0, None, float("nan"), float("inf")])
def test_an_error_that_is_none_gives_no_error_of_the_magnitude(err: float | None) -> None:
    done = add_magnitudes(_table([5.0], [err]), BANDS, ebv=np.zeros(1), coefficients={"i": 2.06})
    assert done["mag_i"].null_count == 0
    assert done["mag_err_i"].null_count == 1


def test_no_dust_leaves_magnitudes_as_they_are_to_the_bit() -> None:
    flux = np.linspace(1, 1e5, 1000)
    table = pa.table({"i_flux": flux, "i_err": flux / 10})
    done = add_magnitudes(table, BANDS, ebv=np.zeros(1000), coefficients={"i": 2.06})
    assert (done["mag_i"].to_numpy() == magnitude(flux)).all()


def test_nothing_is_dereddened_twice() -> None:
    once = add_magnitudes(_table([1.0], [1.0]), BANDS, ebv=np.zeros(1), coefficients={"i": 2.06})
    with pytest.raises(TsmError) as refused:
        add_magnitudes(once, BANDS, ebv=np.zeros(1), coefficients={"i": 2.06})
    assert refused.value.codes == (Code.DUST_TWICE,)


def test_coefficients_are_those_published() -> None:
    """RAIL's defaults, and Table 6 of Schlafly & Finkbeiner (2011) for LSST at R_V = 3.1."""
    assert get_coefficients("desc_dc2").values == dict(
        zip("ugrizy", (4.81, 3.64, 2.70, 2.06, 1.58, 1.31), strict=True))
    assert get_coefficients("sf11").values == dict(
        zip("ugrizy", (4.145, 3.237, 2.273, 1.684, 1.323, 1.088), strict=True))


def test_an_unknown_set_of_coefficients_names_the_known() -> None:
    with pytest.raises(TsmError, match="sf11"):
        get_coefficients("sf12")
