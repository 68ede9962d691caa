"""Magnitudes against astropy units and hand-worked values; what each policy makes of a flux."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.io.votable.ucd import check_ucd
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.dust import Dust, get_coefficients
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.photometry import SOFTENING_NJY, PhotometryPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import photometry_added
from pz_tsm_core.ops.fluxes import (
    asinh_error,
    asinh_magnitude,
    deredden,
    flux_of,
    magnitude,
    magnitude_error,
)
from pz_tsm_core.ops.measured import BandFlux, fluxes_of
from pz_tsm_core.ops.photometry import Account, add_photometry, correct_batches, corrected_schema

BANDS = [BandFlux("i", "i_flux", "i_err")]
POLICY = PhotometryPolicy(bands=("i",))
R = {"u": 4.81, "g": 3.64, "r": 2.70, "i": 2.06, "z": 1.58, "y": 1.31}


def _add(table, sources=BANDS, policy=POLICY, ebv=0.0, account=None):
    return add_photometry(table, sources, policy, ebv=np.full(len(table), float(ebv)),
                          coefficients=R, account=account)


FLUX = st.floats(1e-3, 1e9)


@given(FLUX)
def test_magnitudes_are_those_of_astropy(flux: float) -> None:
    expected = (flux * u.nJy).to_value(u.ABmag)
    assert magnitude(np.array([flux]))[0] == pytest.approx(expected, abs=1e-6)


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


@given(st.lists(st.floats(0.125, 2.0**30, width=32), min_size=1))
def test_fluxes_of_32_bits_give_the_magnitudes_of_astropy(flux: list[float]) -> None:
    done = _add(_table(flux, flux))
    expected = (np.array(flux, np.float32).astype(np.float64) * u.nJy).to_value(u.ABmag)
    assert done["mag_i"].to_pylist() == pytest.approx(list(expected), abs=1e-6)


@given(FLUX, st.floats(1e-3, 0.5))
def test_a_magnitude_with_its_error_is_the_flux_that_it_came_from(flux, relative) -> None:
    values, errors = np.array([flux]), np.array([flux * relative])
    back, error = flux_of(magnitude(values), magnitude_error(values, errors))
    assert back[0] == pytest.approx(flux, rel=1e-12)
    assert error[0] == pytest.approx(flux * relative, rel=1e-12)


def test_asinh_magnitudes_are_those_worked_by_hand() -> None:
    """m(0) = zp - 2.5 log10 b; far above b the magnitude; odd about zero (Lupton et al. 1999)."""
    at_zero = asinh_magnitude(np.zeros(1), 10.0)[0]
    assert at_zero == pytest.approx(31.4 - 2.5)
    bright = np.array([1e7])
    assert asinh_magnitude(bright, 10.0)[0] == pytest.approx(magnitude(bright)[0], abs=1e-9)
    up, down = asinh_magnitude(np.array([25.0, -25.0]), 10.0) - at_zero
    assert up == pytest.approx(-down)
    # One softening: asinh(1/2) = ln((1 + sqrt 5) / 2) = 0.4812118.
    one = asinh_magnitude(np.array([10.0]), 10.0)[0]
    assert one == pytest.approx(31.4 - 1.0857362 * (0.4812118 + np.log(10)), abs=1e-6)


@given(st.floats(-1e3, 1e6), st.floats(1, 100))
def test_the_error_of_an_asinh_magnitude_is_its_derivative(flux: float, softening: float) -> None:
    step = 1e-4 * (abs(flux) + softening)
    low, high = asinh_magnitude(np.array([flux - step, flux + step]), softening)
    error = asinh_error(np.array([flux]), np.array([1.0]), softening)[0]
    assert error == pytest.approx((low - high) / (2 * step), rel=1e-5)


def test_the_default_softening_is_that_of_one_sigma_at_the_limits_of_rail() -> None:
    limits = {"u": 27.79, "g": 29.04, "r": 29.06, "i": 28.62, "z": 27.98, "y": 27.05}
    for band, limit in limits.items():
        sigma = (limit * u.ABmag).to_value(u.nJy)
        assert SOFTENING_NJY[band] == pytest.approx(1.042 * sigma, rel=0.006)


def test_signal_to_noise_survives_dereddening() -> None:
    done = _add(_table([200.0], [20.0]), ebv=0.4)
    assert done["snr_i"].to_pylist() == pytest.approx([10])
    assert done["mag_err_i"][0].as_py() == pytest.approx(2.5 / np.log(10) * 0.1, rel=1e-6)


@pytest.mark.parametrize("flux", [0.0, -5.0, None, float("nan"), float("inf")])
def test_a_flux_that_is_not_positive_has_no_magnitude(flux: float | None) -> None:
    done = _add(_table([flux], [1.0]))
    assert done["mag_i"].null_count == done["mag_err_i"].null_count == 1
    assert done["i_flux"].equals(_table([flux], [1.0])["i_flux"]) or np.isnan(flux or 0)


@pytest.mark.parametrize("err", [0.0, -1.0, None, float("nan"), float("inf")])
def test_an_error_that_is_none_gives_no_error_of_the_magnitude(err: float | None) -> None:
    done = _add(_table([5.0], [err]))
    assert done["mag_i"].null_count == 0
    assert done["mag_err_i"].null_count == 1


def test_no_dust_leaves_magnitudes_as_they_are_to_the_bit() -> None:
    flux = np.linspace(1, 1e5, 1000)
    table = pa.table({"i_flux": flux, "i_err": flux / 10})
    done = _add(table)
    assert (done["mag_i"].to_numpy() == magnitude(flux)).all()


def test_nothing_is_dereddened_twice() -> None:
    once = _add(_table([1.0], [1.0]))
    with pytest.raises(TsmError) as refused:
        _add(once)
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


#: flux, error, flag and what they are: detected, faint, negative, zero, missing, NaN, flagged.
ROWS = pa.table({
    "i_flux": pa.array([100.0, 3.0, -1.0, 0.0, None, float("nan"), 100.0]),
    "i_err": pa.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    "i_flag": pa.array([False, False, None, False, False, False, True]),
})
FLAGGED = [BandFlux("i", "i_flux", "i_err", "i_flag")]


def test_what_was_detected_not_detected_and_not_measured_is_told_apart() -> None:
    account = Account()
    done = _add(ROWS, FLAGGED, account=account)
    assert done["det_i"].to_pylist() == [1, 1, 0, 0, None, None, None]
    assert done["mag_i"].is_null().to_pylist() == [False, False, True, True, True, True, True]
    assert done["snr_i"].to_pylist() == [100, 3, -1, 0, None, None, None]
    assert {what: bands["i"] for what, bands in account.counts.items() if bands["i"]} == {
        "flux flagged": 1, "flux missing": 2, "flux not positive": 2}
    assert done.select(ROWS.column_names).slice(0, 5).equals(ROWS.slice(0, 5))


@pytest.mark.parametrize(("policy", "det"), [
    ({"flagged": "keep"}, [1, 1, 0, 0, None, None, 1]),
    ({"min_snr": 5}, [1, 0, 0, 0, None, None, None]),
    ({"flagged": "drop"}, [1, 1, 0, 0, None, None]),
    ({"missing": "drop"}, [1, 1, 0, 0, None]),
    ({"not_detected": "drop"}, [1, 1, None, None, None]),
    ({"not_detected": "drop", "missing": "drop", "flagged": "drop", "min_snr": 5}, [1]),
])
def test_a_policy_keeps_these_rows(policy, det) -> None:
    chosen = PhotometryPolicy(bands=("i",), **policy)
    account = Account()
    sources = FLAGGED if chosen.reads_flags else BANDS
    done = _add(ROWS, sources, chosen, account=account)
    assert done["det_i"].to_pylist() == det
    assert (account.taken, account.given) == (7, len(det))
    assert sum(account.dropped.values()) == 7 - len(det)


def test_a_row_that_leaves_is_counted_under_one_reason() -> None:
    policy = PhotometryPolicy(bands=("i", "r"), flagged="drop", not_detected="drop")
    table = pa.table({"i_flux": [-1.0, -1.0, 5.0], "i_err": [1.0] * 3, "r_flux": [5.0, -1.0, 5.0],
                      "r_err": [1.0] * 3, "r_flag": [True, False, False]})
    account = Account()
    sources = [*BANDS, BandFlux("r", "r_flux", "r_err", "r_flag")]
    assert len(_add(table, sources, policy, account=account)) == 1
    assert account.dropped == {"flux_flagged": 1, "not_detected": 1}


def test_a_limit_is_the_magnitude_of_so_many_errors() -> None:
    policy = PhotometryPolicy(bands=("i",), not_detected="limit", limit_sigma=3)
    done = _add(ROWS, FLAGGED, policy, ebv=0.1)
    limit = (3 * u.nJy).to_value(u.ABmag) - 2.06 * 0.1
    assert done["mag_i"].to_pylist()[2:4] == pytest.approx([limit] * 2)
    assert done["mag_err_i"].null_count == done["mag_i"].null_count + 2 == 5
    assert done["det_i"].to_pylist()[2:4] == [0, 0]


def test_fluxes_and_asinh_magnitudes_are_there_below_zero_too() -> None:
    policy = PhotometryPolicy(bands=("i",), values=["magnitude", "flux", "asinh"])
    done = _add(ROWS, FLAGGED, policy, ebv=0.2)
    dust = 10 ** (0.4 * 2.06 * 0.2)
    assert done["flux_i"].to_pylist()[:4] == pytest.approx([100 * dust, 3 * dust, -dust, 0])
    assert done["flux_err_i"].to_pylist()[:4] == pytest.approx([dust] * 4)
    assert done["flux_i"].null_count == done["asinh_i"].null_count == 3
    assert done["asinh_i"][3].as_py() == pytest.approx((13.5 * u.nJy).to_value(u.ABmag))


def test_where_dust_is_not_known_there_is_no_magnitude_and_still_a_detection() -> None:
    account = Account()
    done = add_photometry(_table([5.0, 5.0], [1.0, 1.0]), BANDS, POLICY,
                          ebv=np.array([np.nan, 0.1]), coefficients=R, account=account)
    assert done["mag_i"].null_count == done["ebv_applied"].null_count == 1
    assert done["det_i"].to_pylist() == [1, 1]
    assert account.counts["no E(B-V)"]["i"] == 1


def test_several_kinds_of_flux_stand_side_by_side() -> None:
    policy = PhotometryPolicy(bands=("i",), flux=["cModel", "psf"])
    release = _release({"cModel": {"flux": "{b}_c", "err": "{b}_ce"},
                        "psf": {"flux": "{b}_p", "err": "{b}_pe"}})
    table = pa.table({"i_c": [100.0], "i_ce": [1.0], "i_p": [10.0], "i_pe": [1.0]})
    done = _add(table, fluxes_of(release, policy), policy)
    assert done["mag_i"][0].as_py() == pytest.approx(31.4 - 5)
    assert done["mag_i_psf"][0].as_py() == pytest.approx(31.4 - 2.5)
    assert done["snr_i_psf"][0].as_py() == 10


def _release(types, **more):
    return Release.model_validate({
        "schema": 1, "key": "x", "name": "x", "id": "id", "ra": "ra", "dec": "dec",
        "bands": list("ugrizy"), "flux_unit": "nJy", "flux_types": types, **more})


@pytest.mark.parametrize("unit", ["uJy", "Jy", "mJy", "erg / (s cm2 Hz)", "nmgy"])
def test_every_unit_of_flux_gives_the_magnitude_of_astropy(unit) -> None:
    release = _release({"cModel": {"flux": "{b}f", "err": "{b}e"}}, flux_unit=unit)
    value = 1e-27 if unit.startswith("erg") else 2.5
    done = _add(pa.table({"if": [value], "ie": [value / 10]}), fluxes_of(release, POLICY))
    zero = u.zero_point_flux(10 ** (-0.4 * 48.6) * u.erg / u.s / u.cm**2 / u.Hz)
    density = (value * u.Unit(unit)).to(u.nJy, equivalencies=zero)
    assert done["mag_i"][0].as_py() == pytest.approx(density.to_value(u.ABmag), abs=1e-6)
    assert done["snr_i"][0].as_py() == pytest.approx(10)


def test_magnitudes_of_a_catalogue_come_through_with_their_sentinels() -> None:
    release = _release({"auto": {"mag": "MAG_{B}", "err": "ERR_{B}", "not_detected": [99.0],
                                 "missing": [-99.0]}}, flux_unit=None)
    policy = PhotometryPolicy(bands=("i",), flux="auto", values=["magnitude", "flux"])
    table = pa.table({"MAG_I": [22.5, 99.0, -99.0, 30.0], "ERR_I": [0.1, 99.0, -99.0, -1.0]})
    done = _add(table, fluxes_of(release, policy), policy, ebv=0.1)
    assert done["mag_i"].to_pylist() == pytest.approx([22.294, None, None, 29.794])
    assert done["mag_err_i"].to_pylist() == pytest.approx([0.1, None, None, None])
    assert done["det_i"].to_pylist() == [1, 0, None, 1]
    assert done["flux_i"][0].as_py() == pytest.approx((22.294 * u.ABmag).to_value(u.nJy))


def test_a_column_of_the_catalogue_gives_way_to_one_of_the_same_name() -> None:
    release = _release({"mag": {"mag": "mag_{b}", "err": "mag_err_{b}"}}, flux_unit=None)
    policy = PhotometryPolicy(bands=("i",), flux="mag")
    table = pa.table({"mag_i": [20.0], "mag_err_i": [0.1]})
    done = _add(table, fluxes_of(release, policy), policy, ebv=1)
    assert done["mag_i"][0].as_py() == pytest.approx(17.94)
    assert done["mag_i_lsst"].to_pylist() == [20.0]
    assert done.schema.equals(corrected_schema(table.schema, policy))


def test_batches_have_the_schema_that_is_foretold_also_when_no_row_stays() -> None:
    release = _release({"cModel": {"flux": "{b}f", "err": "{b}e"}})
    policy = PhotometryPolicy(bands=("i",), not_detected="drop", dereddening={"map": "none"})
    table = pa.table({"ra_lsst": [1.0], "dec_lsst": [1.0], "if": [-1.0], "ie": [1.0]})
    batch, = correct_batches(table.to_batches(), release, policy, Dust(policy.dereddening))
    assert len(batch) == 0
    assert batch.schema.equals(corrected_schema(table.schema, policy))


def test_fluxes_that_are_dereddened_already_are_not_dereddened_again() -> None:
    release = _release({"cModel": {"flux": "{b}f", "err": "{b}e"}}, dereddened=True)
    with pytest.raises(TsmError) as refused:
        list(correct_batches([], release, POLICY, Dust(POLICY.dereddening)))
    assert refused.value.codes == (Code.DUST_TWICE,)


def test_every_column_that_is_added_has_a_unit_and_a_ucd_that_exist() -> None:
    policy = PhotometryPolicy(flux=["a", "b"], values=["magnitude", "flux", "asinh"])
    added = photometry_added(policy)
    assert len({column.name for column in added}) == len(added) == 1 + 2 * 6 * 8
    for column in added:
        u.Unit(column.unit)
        assert check_ucd(column.ucd, check_controlled_vocabulary=True), column


@pytest.mark.parametrize(("choice", "told"), [
    ({"values": "flux"}, "magnitude"), ({"flux": ["psf", "psf"]}, "once"), ({"flux": []}, "1 item"),
    ({"values": ["magnitude", "asinh"], "softening_njy": {"u": 1}}, "softening_njy for g, i"),
    ({"flagged": "null"}, "blank"),
])
def test_a_policy_that_cannot_be_is_refused(choice, told) -> None:
    with pytest.raises(ValueError, match=told):
        PhotometryPolicy(**choice)


def test_sentinels_are_known_in_the_precision_of_their_column() -> None:
    release = _release({"auto": {"mag": "{b}m", "err": "{b}e", "not_detected": [99.9],
                                 "missing": [-99.9]}})
    policy = PhotometryPolicy(flux="auto", bands=("i",), dereddening={"map": "none"})
    for kind in (pa.float32(), pa.float64()):
        table = pa.table({"ra_lsst": [1.0] * 3, "dec_lsst": [1.0] * 3,
                          "im": pa.array([20.0, 99.9, -99.9], kind),
                          "ie": pa.array([0.1, 0.1, 0.1], kind)})
        batch, = correct_batches(table.to_batches(), release, policy, Dust(policy.dereddening))
        assert batch["det_i"].to_pylist() == [1, 0, None]


def test_a_flux_without_an_error_is_no_detection_where_signal_to_noise_is_asked_for() -> None:
    done = _add(_table([100.0, 100.0], [1.0, None]),
                policy=POLICY.model_copy(update={"min_snr": 5.0}))
    assert done["det_i"].to_pylist() == [1, 0]


def test_without_a_map_coefficients_of_ones_own_need_not_be_complete() -> None:
    release = _release({"cModel": {"flux": "{b}f", "err": "{b}e"}})
    policy = PhotometryPolicy(bands=("i",), dereddening={
        "map": "none", "coefficients": "custom", "values": {"u": 2.0}})
    table = pa.table({"ra_lsst": [1.0], "dec_lsst": [1.0], "if": [100.0], "ie": [1.0]})
    batch, = correct_batches(table.to_batches(), release, policy, Dust(policy.dereddening))
    assert batch["mag_i"].to_pylist() == pytest.approx([26.4], abs=1e-9)


@pytest.mark.parametrize("wrong", [
    {"min_snr": float("inf")}, {"limit_sigma": float("nan")},
    {"softening_njy": {"u": float("inf")}},
])
def test_numbers_without_end_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="finite"):
        PhotometryPolicy(**wrong)


def test_every_column_that_a_flux_lacks_is_named() -> None:
    release = _release({"cModel": {"flux": "{b}f", "err": "{b}e", "flag": "{b}x"}})
    policy = PhotometryPolicy(bands=("g", "i"), dereddening={"map": "none"})
    table = pa.table({"ra_lsst": [1.0], "dec_lsst": [1.0], "if": [1.0], "ie": [1.0], "gf": [1.0]})
    with pytest.raises(TsmError) as refused:
        list(correct_batches(table.to_batches(), release, policy, Dust(policy.dereddening)))
    assert refused.value.codes == (Code.TABLE_MISSING_COLUMN,) * 3
    assert all(f"`{name}`" in str(refused.value) for name in ("ge", "gx", "ix"))
