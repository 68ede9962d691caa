"""The sky on paper, against astropy's angles and the areas that must be equal."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from pz_tsm_core.quality.plots.projection import field_sky, mollweide, mollweide_sky


@pytest.fixture(scope="module")
def pixels():
    x, y = np.meshgrid(np.linspace(-2, 2, 801), np.linspace(-1, 1, 401))
    return x, y, *mollweide_sky(x, y)


def test_the_map_is_an_ellipse_that_shows_all_of_the_sky(pixels) -> None:
    x, y, ra, dec = pixels
    inside = (x / 2) ** 2 + y**2 <= 1
    assert (np.isfinite(ra) == inside).mean() > 0.999
    assert np.nanmin(dec) < -89
    assert np.nanmax(dec) > 89


def test_there_and_back_again(pixels) -> None:
    x, y, ra, dec = pixels
    inside = np.isfinite(ra) & (ra > 0.01) & (ra < 359.99)
    back = mollweide(ra[inside], dec[inside])
    assert np.allclose(back, [x[inside], y[inside]], atol=1e-6)


def test_equal_pieces_of_the_sky_have_equal_areas_on_the_map(pixels) -> None:
    _, _, ra, dec = pixels
    bands, _ = np.histogram(np.sin(np.radians(dec[np.isfinite(dec)])), np.linspace(-1, 1, 9))
    assert np.allclose(bands / bands.sum(), 1 / 8, atol=0.003)
    wedges, _ = np.histogram(ra[np.isfinite(ra)], np.linspace(0, 360, 9))
    assert np.allclose(wedges / wedges.sum(), 1 / 8, atol=0.003)


def test_right_ascension_grows_to_the_left_and_north_is_up() -> None:
    x, y = mollweide(np.array([90.0, 180.0, 270.0]), np.array([-45.0, 0.0, 45.0]))
    assert x[0] > 0 > x[2]
    assert y[0] < 0 < y[2]
    assert (x[1], y[1]) == pytest.approx((0, 0))


@pytest.mark.parametrize(("ra", "dec"), [(53.1, -27.8), (0.0, 0.0), (359.9, 60), (40, 89.9)])
def test_a_field_keeps_areas_and_directions(ra, dec) -> None:
    x, y = np.meshgrid(np.linspace(-3, 3, 21), np.linspace(-3, 3, 21))
    places = SkyCoord(*field_sky(x, y, ra, dec), unit="deg")
    centre = SkyCoord(ra, dec, unit="deg")
    # Lambert: the distance on the map is the chord.
    chord = 2 * np.sin(centre.separation(places).rad / 2)
    assert np.allclose(np.degrees(chord), np.hypot(x, y), atol=1e-9)
    turn = (centre.position_angle(places).deg - np.degrees(np.arctan2(x, y)) + 180) % 360 - 180
    assert np.abs(turn[np.hypot(x, y) > 0.1]).max() < 1e-6
