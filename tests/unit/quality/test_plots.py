"""Plots of everything between nothing and millions, from data in to figure out."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.quality.cells import SkyTally
from pz_tsm_core.quality.fates import contributions
from pz_tsm_core.quality.pictures import pictures
from pz_tsm_core.quality.plots import contributions as bars
from pz_tsm_core.quality.plots import match, photometry, redshift, sky
from pz_tsm_core.quality.plots.style import MOST_SURVEYS, as_svg, house_style, ranked
from pz_tsm_core.quality.plots.window import window
from pz_tsm_core.quality.summary import MAGNITUDE, REDSHIFT, REDSHIFT_COARSE
from pz_tsm_core.quality.tally import Axis, Grid, Labels, Tally


def drawn(found):
    return pictures(found, contributions(found.compilation, found.training_set))


@pytest.mark.parametrize("rows", [0, 1, 2, 300])
@pytest.mark.parametrize("matched", [True, False])
def test_every_plot_is_drawn_of_any_number_of_rows(found, rows, matched) -> None:
    plots = drawn(found(rows, matched=matched))
    expected = {"by_survey", "sky", "contributions"} | ({"fields"} if rows else set())
    if matched:
        expected |= {"by_part", "magnitude_redshift", "separations", "offsets"}
    assert set(plots) == expected
    for picture in plots.values():
        assert picture.svg.startswith('<svg role="img" aria-label="')
        assert picture.svg.rstrip().endswith("</svg>")


def test_equal_data_are_drawn_equally_and_no_date_is_in_it(found) -> None:
    first, again = drawn(found()), drawn(found())
    assert first == again
    assert not any(re.search(r"\d{4}-\d\d-\d\d", picture.svg) for picture in first.values())


def test_ids_in_one_page_are_distinct(found) -> None:
    ids = [name for picture in drawn(found()).values()
           for name in set(re.findall(r'\bid="([^"]*)"', picture.svg))]
    assert len(set(ids)) == len(ids)
    for picture in drawn(found()).values():
        own = set(re.findall(r'\bid="([^"]*)"', picture.svg))
        assert set(re.findall(r'(?:href="|url\()#([^")]*)', picture.svg)) <= own


def test_more_surveys_than_can_be_told_apart_are_folded(found) -> None:
    plots = drawn(found(400, surveys=MOST_SURVEYS + 8))
    for name in ("by_survey", "contributions"):
        assert f"{9} others" in plots[name].svg
        assert plots[name].svg.count("survey_") >= MOST_SURVEYS - 1
    assert "others" not in drawn(found(400, surveys=MOST_SURVEYS))["by_survey"].svg


def test_the_busiest_surveys_are_shown() -> None:
    rows = {f"s{number:02}": number for number in range(20)}
    shown, folded = ranked(rows)
    assert shown == [f"s{number:02}" for number in range(19, 8, -1)]
    assert set(folded) == set(rows) - set(shown)


def test_a_name_is_text_and_neither_markup_nor_mathematics() -> None:
    tally = Tally(REDSHIFT)
    name = "<script>alert(1)</script> $x^2$"
    tally.add(np.array([0.1, 0.2]), Labels.of(pa.array([name, name])))
    with house_style():
        svg = as_svg(redshift.by_survey(tally), "x", f'"{name}"')
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert "$x" in svg


@pytest.mark.parametrize("rows", [3, 1000, 200_000])
def test_a_window_shows_all_but_a_thousandth_of_the_rows(rows) -> None:
    axis = Axis(-0.5, 0.01, 1550)
    tally = Tally(axis)
    z = np.random.default_rng(1).gamma(2, 0.4, rows)
    tally.add(np.append(z, 14.9), Labels.of(pa.array(["a"] * (rows + 1))))
    view = window(axis, tally.total, (1, 2, 5, 10, 25, 50), 60)
    shown = view.of(tally.total)
    assert len(view.edges) == len(shown) + 1 <= 62
    assert shown.sum() >= 0.999 * (rows + 1) - 1
    # Zero is a border, so that no bin holds both signs.
    assert np.abs(view.edges / view.width - np.round(view.edges / view.width)).max() < 1e-6
    inside = (z >= view.edges[0]) & (z < view.edges[-1])
    assert abs(inside.sum() - shown.sum()) <= 2


def test_the_plane_of_magnitude_and_redshift_shows_every_galaxy() -> None:
    rng = np.random.default_rng(2)
    grid = Grid(REDSHIFT_COARSE, MAGNITUDE)
    grid.add(rng.uniform(0.1, 1.5, 50_000), rng.uniform(18, 24, 50_000))
    with house_style():
        figure = photometry.magnitude_redshift(grid, "i")
    image = figure.axes[0].images[0].get_array()
    assert 49_900 <= image.sum() <= 50_000
    low, high = figure.axes[0].get_ylim()
    assert low > high  # bright ones are at the top


def test_the_expected_curve_is_what_gaussian_positions_give() -> None:
    rng = np.random.default_rng(3)
    tally = Tally(Axis(0.0, 0.001, 1000))
    for survey, sigma, rows in (("a", 0.1, 200_000), ("b", 0.3, 100_000)):
        separations = np.hypot(rng.normal(0, sigma, rows), rng.normal(0, sigma, rows))
        kept = separations[separations <= 1]
        tally.add(kept, Labels.of(pa.array([survey] * len(kept))))
    edges = np.linspace(0, 1, 51)
    expected = match.rayleigh(tally, edges)
    observed = tally.total[1:-1].reshape(50, 20).sum(axis=1)
    assert expected.sum() == pytest.approx(observed.sum(), rel=1e-6)
    assert np.abs(expected - observed).max() < 0.02 * observed.max()


def test_east_is_to_the_left_in_a_field() -> None:
    tally = SkyTally()
    ra, dec = np.meshgrid(np.linspace(10, 10.5, 60), np.linspace(-0.25, 0.25, 60))
    east = ra.ravel() > 10.25
    tally.add(ra.ravel()[east], dec.ravel()[east])  # the eastern half four times as dense
    tally.add(np.repeat(ra.ravel()[east], 3), np.repeat(dec.ravel()[east], 3))
    tally.add(ra.ravel()[~east], dec.ravel()[~east])
    cells = tally.cells
    with house_style():
        figure = sky.zoomed(cells, None, sky.zooms(cells))
    axis = figure.axes[0]
    left, right = axis.get_xlim()
    assert left > 0 > right  # degrees to the east grow to the left
    density = np.nan_to_num(np.ma.getdata(axis.images[-1].get_array()))
    eastern = density[:, density.shape[1] // 2:]  # columns run along x, from west to east
    assert eastern.sum() > 2 * density[:, :density.shape[1] // 2].sum()


def test_a_field_is_marked_on_the_map_where_it_is() -> None:
    tally = SkyTally()
    rng = np.random.default_rng(4)
    tally.add(rng.uniform(89.5, 90.5, 500), rng.uniform(29.5, 30.5, 500))
    cells = tally.cells
    with house_style():
        axis = sky.whole(cells, None, sky.zooms(cells)).axes[0]
    assert min(image.get_zorder() for image in axis.images) > axis.patches[0].get_zorder()
    marks = [line for line in axis.lines if line.get_marker() == "o"]
    x, y = marks[0].get_data()
    assert len(marks) == 1
    assert (x[0] > 0, y[0] > 0) == (True, True)  # ra 90 is right of ra 180; north is up
    density = np.ma.getdata(axis.images[-1].get_array())
    rows, columns = np.nonzero(np.nan_to_num(density))
    assert abs((columns.mean() + 0.5) / density.shape[1] * 4 - 2 - x[0]) < 0.02
    assert abs((rows.mean() + 0.5) / density.shape[0] * 2 - 1 - y[0]) < 0.02


def test_a_survey_over_the_whole_sky_needs_no_zoom() -> None:
    rng = np.random.default_rng(5)
    tally = SkyTally()
    tally.add(rng.uniform(0, 360, 40_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 40_000))))
    assert sky.zooms(tally.cells) == []


def test_bars_are_as_long_as_all_measurements() -> None:
    fates = {"a": dict(zip(bars.FATES, (10, 20, 30, 40, 0), strict=True)),
             "b": dict(zip(bars.FATES, (1, 0, 0, 0, 3), strict=True))}
    with house_style():
        axis = bars.contributions(fates).axes[0]
    ends = {patch.get_y(): patch.get_x() + patch.get_width() for patch in axis.patches}
    assert len(ends) == 2
    assert list(ends.values()) == pytest.approx([100, 100])


def test_the_users_own_settings_are_neither_read_nor_changed(found) -> None:
    plain = drawn(found())["by_survey"].svg
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert drawn(found())["by_survey"].svg == plain
        assert mpl.rcParams["font.size"] == 31


def test_threads_that_draw_at_once_draw_the_same(found) -> None:
    expected, results = drawn(found(100)), []
    threads = [threading.Thread(target=lambda: results.append(drawn(found(100))))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_drawing_keeps_away_from_pyplot_and_its_windows() -> None:
    code = ("import sys, pz_tsm_core.quality.pictures\n"
            "sys.exit('matplotlib.pyplot' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
