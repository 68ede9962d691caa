"""`param.hats_config`: photometry as science_catalogs computes it, on the matched rows alone."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.dust import write_sfd_maps

from .conftest import ARCSEC

#: As data-example/dp1/hats_config.yaml of the existing pipeline, filled in, for two bands.
CONFIG = {
    "input": {
        "catalog_folder": "object", "which_release": "LSST_DP1",
        "user_selected_cols": ["objectId", "coord_ra", "coord_dec", "g_cModelFlux", "i_cModelFlux",
                               "g_cModelFluxErr", "i_cModelFluxErr", "refExtendedness"],
        "input_col_type": "flux", "input_col_model": "cModelFlux", "compute_magnitude": True,
        "compute_dereddening": True, "col_pattern": "BAND_cModelFlux",
        "err_pattern": "BAND_cModelFluxErr", "selected_bands": ["g", "i"], "ra_col": "coord_ra",
        "dec_col": "coord_dec"},
    "output": {"save_as": "hats", "hats_artifact_name": "dp1",
               "col_final_pattern": "BAND_cModelMag_dered",
               "err_final_pattern": "BAND_cModelMagErr_dered", "mag_offset": 31.4,
               "A_EBV": {"g": 3.64, "i": 2.06}},
    "invalid_handling": {
        "replace_invalid_values": True, "how_to_replace_col_values": "all",
        "how_to_replace_err_values": "only_with_invalid_col", "col_value_to_replace": 99.0,
        "err_value_to_replace": 99.0, "set_limit_for_col": True, "limit_value_for_col": 99.0,
        "limit_comparison_for_col": "greater_or_equal", "use_absolute_for_col_limits": True,
        "set_limit_for_err": True, "limit_value_for_err": 99.0,
        "limit_comparison_for_err": "greater_or_equal", "use_absolute_for_err_limits": True},
    "cluster": {"executor": "local", "local": {"n_workers": 2}},
    "dust": {"path_to_dustmaps": "../dust", "use_dustmap": "sfd"},
    "collection": {"margin_threshold": 10.0},
}
OBJECTS = {
    "objectId": [11, 12, 13, 14], "coord_ra": [10.0, 20.0, 30.0, 30.0],
    "coord_dec": [0.0, 0.0, 0.1 * ARCSEC, 0.4 * ARCSEC],
    "g_cModelFlux": [1000.0, -5.0, 200.0, 300.0], "i_cModelFlux": [2000.0, 50.0, None, 400.0],
    "g_cModelFluxErr": [10.0, 1.0, 2.0, 3.0], "i_cModelFluxErr": [20.0, 2.0, 1.0, 4.0],
    "refExtendedness": [1.0, 1.0, 0.0, 1.0], "detect_isPrimary": [True, True, False, True],
    "patch": [1, 2, 3, 4]}


@pytest.fixture
def dp1(setup):
    setup.objects = {name: list(values) for name, values in OBJECTS.items()}
    setup.specz = {"ID": ["a", "b", "c"], "ra": [10.0, 20.0, 30.0], "DEC": [0.0] * 3,
                   "Z": [0.5, 0.6, 0.7]}
    setup.catalog = "release/object"
    setup.config["inputs"]["dataset"]["columns"] = {"id": "objectId"}
    setup.param["hats_config"] = {key: dict(part) for key, part in CONFIG.items()}
    write_sfd_maps(setup.folder / "dust")
    return setup


def told(setup, part):
    return setup.param["hats_config"][part]


def by_id(setup):
    return {row["ID"]: row for row in setup.rows()}


def ebv(ra, dec, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dustmaps misses its configuration
        from dustmaps.sfd import SFDQuery
    return float(SFDQuery(map_dir=str(folder / "dust" / "sfd"))(SkyCoord(ra, dec, unit="deg")))


def test_magnitudes_are_those_of_the_formulas(dp1):
    """m = -2.5 log10(f 10**(0.4 A E(B-V))) + 31.4, as science_catalogs has it."""
    row = by_id(dp1)["a"]
    dust = ebv(10.0, 0.0, dp1.folder)
    assert dust > 0.02
    for band, flux, err, a in (("g", 1000.0, 10.0, 3.64), ("i", 2000.0, 20.0, 2.06)):
        free = flux * 10 ** (0.4 * a * dust)
        assert row[f"{band}_cModelMag_dered"] == pytest.approx(31.4 - 2.5 * math.log10(free),
                                                               abs=1e-6)
        assert row[f"{band}_cModelMagErr_dered"] == pytest.approx(
            err / (0.4 * math.log(10) * flux), rel=1e-6)


def test_what_has_no_magnitude_is_99(dp1):
    rows = by_id(dp1)
    assert (rows["b"]["g_cModelMag_dered"], rows["b"]["g_cModelMagErr_dered"]) == (99.0, 99.0)
    assert (rows["c"]["i_cModelMag_dered"], rows["c"]["i_cModelMagErr_dered"]) == (99.0, 99.0)


def test_columns_are_the_selected_ones_and_then_each_band(dp1):
    assert dp1.make().table.column_names == [
        "ID", "ra", "DEC", "Z", "objectId", "coord_ra", "coord_dec", "refExtendedness",
        "g_cModelMag_dered", "g_cModelMagErr_dered", "i_cModelMag_dered", "i_cModelMagErr_dered",
        "_dist_arcsec", "is_training_set"]
    told(dp1, "input")["keep_input_columns_after_filters_or_transformations"] = True
    assert "g_cModelFlux" in dp1.make().table.column_names
    dp1.param["selected_cols"] = ["i_cModelMag_dered"]
    assert dp1.make().table.column_names[4:-2] == ["i_cModelMag_dered", "coord_ra", "coord_dec"]


def test_a_catalogue_that_is_a_folder_of_files_gives_the_same_rows(dp1):
    expected = dp1.make().table
    (dp1.folder / "release" / "plain").mkdir()
    for part in range(2):
        pq.write_table(pa.table(OBJECTS).slice(2 * part, 2),
                       dp1.folder / "release" / "plain" / f"part{part}.parq")
    told(dp1, "input").update(catalog_folder="plain/", catalog_pattern="*.parq")
    assert dp1.make().table.sort_by("ID").equals(expected.sort_by("ID"))
    told(dp1, "input").update(catalog_folder="plain/part0.parq")
    assert set(by_id(dp1)) == {"a", "b"}


def test_a_filter_leaves_the_next_object_to_a_redshift(dp1):
    """The nearest object of c, 0.1 arcsec away, is not primary; the other is 0.4 away."""
    assert by_id(dp1)["c"]["objectId"] == 13
    told(dp1, "input")["filter"] = {"enabled": True, "column": "detect_isPrimary", "value": True,
                                    "drop_column_after_filter": True}
    assert by_id(dp1)["c"]["objectId"] == 14
    assert "detect_isPrimary" not in dp1.make().table.column_names


def test_however_many_objects_are_left_out_the_nearest_of_the_others_is_found(dp1):
    n = 100
    dp1.objects = {name: [values[0]] * n for name, values in OBJECTS.items()}
    dp1.objects |= {"objectId": list(range(n)), "detect_isPrimary": [False] * (n - 1) + [True],
                    "coord_dec": list(np.linspace(0, 0.9, n) * ARCSEC)}
    told(dp1, "input")["filter"] = {"enabled": True, "column": "detect_isPrimary", "value": True}
    row, = dp1.rows()
    assert row["objectId"] == n - 1


@pytest.mark.parametrize(("cut", "left"), [
    ({"column_type": "flux", "flux_value": 250.0}, {"a": 11, "c": 14}),
    ({"column_type": "flux", "mag_value": 31.4 - 2.5 * math.log10(250)}, {"a": 11, "c": 14}),
    ({"column_type": "flux", "flux_value": -10.0}, {"a": 11, "b": 12, "c": 13}),
])
def test_an_initial_cut_keeps_what_is_bright_enough(dp1, cut, left):
    told(dp1, "input")["initial_cut"] = {"enabled": True, "column": "g_cModelFlux", **cut}
    assert {name: row["objectId"] for name, row in by_id(dp1).items()} == left


@pytest.mark.parametrize("cut", [{"mag_value": 22.0}, {"flux_value": 10 ** (0.4 * 9.4)}])
def test_a_cut_on_magnitudes_keeps_small_ones(dp1, cut):
    dp1.objects["mag"] = [21.9, 22.1, 25.0, None]
    told(dp1, "input")["initial_cut"] = {"enabled": True, "column": "mag", "column_type": "mag",
                                         **cut}
    assert set(by_id(dp1)) == {"a"}


def test_magnitudes_that_are_there_are_dereddened_or_left(dp1):
    told(dp1, "input").update(input_col_type="mag", compute_magnitude=False)
    told(dp1, "output").update(mag_offset=None, col_final_pattern="BAND_out",
                               err_final_pattern="BAND_err", band_case="upper_case")
    dp1.objects["g_cModelFlux"] = [20.0, 21.0, 22.0, 23.0]
    row = by_id(dp1)["a"]
    assert row["G_out"] == pytest.approx(20 - 3.64 * ebv(10.0, 0.0, dp1.folder), abs=1e-6)
    assert row["G_err"] == 10.0
    told(dp1, "input").update(input_col_type="mag_dered", compute_dereddening=False)
    assert by_id(dp1)["a"]["G_out"] == 20.0


def test_fluxes_are_dereddened_and_stay_fluxes(dp1):
    told(dp1, "input")["compute_magnitude"] = False
    told(dp1, "output").update(col_final_pattern="BAND_cModelFlux",
                               err_final_pattern="BAND_cModelFluxErr")
    del dp1.param["hats_config"]["invalid_handling"]
    row, factor = by_id(dp1)["b"], 10 ** (0.4 * 3.64 * ebv(20.0, 0.0, dp1.folder))
    assert row["g_cModelFlux"] == pytest.approx(-5 * factor, rel=1e-6)
    assert row["g_cModelFluxErr"] == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize(("handling", "expected"), [
    ({"replace_invalid_values": False}, (None, None)),
    ({"how_to_replace_col_values": "all", "col_value_to_replace": "null"}, (None, None)),
    ({"how_to_replace_col_values": "all", "col_value_to_replace": -1}, (-1, None)),
    ({"how_to_replace_err_values": "all", "err_value_to_replace": -2}, (None, -2)),
    ({"how_to_replace_col_values": "only_with_invalid_err", "col_value_to_replace": -1,
      "set_limit_for_err": True, "limit_value_for_err": 0.5,
      "limit_comparison_for_err": "less_or_equal"}, (-1, None)),
])
def test_invalid_values_are_replaced_as_is_said(dp1, handling, expected):
    dp1.param["hats_config"]["invalid_handling"] = {"replace_invalid_values": True, **handling}
    row = by_id(dp1)["b"]  # a negative flux
    got = row["g_cModelMag_dered"], row["g_cModelMagErr_dered"]
    assert tuple(None if value != value else value for value in got) == expected


def test_an_invalid_error_makes_its_value_invalid_where_they_are_crossed(dp1):
    dp1.param["hats_config"]["invalid_handling"] = {
        "replace_invalid_values": True, "how_to_replace_col_values": "all",
        "how_to_replace_err_values": "all", "col_value_to_replace": 99, "err_value_to_replace": 98,
        "cross_invalidate": True, "set_limit_for_err": True, "limit_value_for_err": 0.015,
        "round_col": True, "round_col_decimal_cases": 1}
    dp1.objects["g_cModelFluxErr"] = [10.0, 1.0, 4.0, 3.0]
    rows = by_id(dp1)  # errors of g: 1.0857 * 10 / 1000 at a, twice that at c
    assert (rows["c"]["g_cModelMag_dered"], rows["c"]["g_cModelMagErr_dered"]) == (99, 98)
    assert rows["a"]["g_cModelMag_dered"] == round(rows["a"]["g_cModelMag_dered"], 1) < 99
    assert rows["a"]["g_cModelMagErr_dered"] == pytest.approx(0.010857, abs=1e-6)


def problems(setup):
    with pytest.raises(TsmError) as caught:
        setup.make()
    return {problem.where.partition(": ")[2]: problem for problem in caught.value.problems}


def test_what_has_yet_to_be_filled_in_is_told(dp1):
    told(dp1, "input").update(col_pattern="BAND_<FLUX><MAG_OR_FLUX>",
                              user_selected_cols=["objectId", "u_<FLUX>"])
    dp1.param["flux_typ"] = "cmodel"
    assert {place: problem.found for place, problem in problems(dp1).items()} == {
        "param.hats_config.input.col_pattern": "<FLUX>, not filled in",
        "param.hats_config.input.user_selected_cols.1": "<FLUX>, not filled in",
        "param.flux_typ": "unknown key `flux_typ`"}


@pytest.mark.parametrize(("part", "change", "word"), [
    ("input", {"input_col_type": "mag"}, "no compute_magnitude"),
    ("input", {"input_col_type": "flux_dered"}, "no compute_dereddening"),
    ("input", {"catalog_path": "elsewhere"}, "they disagree"),
    ("input", {"col_pattern": "g_cModelFlux"}, "the word BAND"),
    ("input", {"ra_col": None}, "input.ra_col and input.dec_col"),
    ("input", {"is_id_in_index": True}, "a column like any other"),
    ("input", {"filter": {"enabled": True}}, "a column, as the filter is enabled"),
    ("input", {"initial_cut": {"enabled": True, "column": "g_cModelFlux"}}, "one of mag_value"),
    ("output", {"A_EBV": {"g": 3.64}}, "output.A_EBV of i"),
    ("output", {"mag_offset": None}, "output.mag_offset, 31.4"),
    ("invalid_handling", {"how_to_replace_col_values": "al"}, "did you mean `all`?"),
])
def test_what_cannot_be_computed_is_refused_in_words(dp1, part, change, word):
    told(dp1, part).update(change)
    found = problems(dp1)
    assert any(word in problem.expected for problem in found.values()), found
    assert {problem.code for problem in found.values()} == {Code.LEGACY_CONFIG}


def test_the_layout_that_came_later_is_refused_in_words(dp1):
    dp1.param["hats_config"]["photometry"] = {"bands": ["g"]}
    assert "older layout" in problems(dp1)["param.hats_config.photometry"].expected


def test_columns_that_the_catalogue_lacks_are_told_all_at_once(dp1):
    told(dp1, "input").update(user_selected_cols=["objectID"], col_pattern="BAND_cmodelFlux")
    told(dp1, "input")["filter"] = {"enabled": True, "column": "detect_isprimary", "value": True}
    dp1.param["selected_cols"] = ["g_cModelMag"]
    found = problems(dp1)
    places = ("input.user_selected_cols.0", "input.col_pattern", "input.filter.column")
    assert set(found) == {*(f"param.hats_config.{place}" for place in places),
                          "param.selected_cols.0"}
    assert found["param.hats_config.input.user_selected_cols.0"].remedy == (
        "did you mean `objectId`?")


def test_a_catalogue_and_dust_maps_that_are_not_there_are_told_with_their_places(dp1):
    told(dp1, "input").update(catalog_folder="nowhere")
    told(dp1, "dust").update(path_to_dustmaps=None)
    found = problems(dp1)
    assert {place: problem.code for place, problem in found.items()} == {
        "param.hats_config.input.catalog_folder": Code.FILE_MISSING,
        "param.hats_config.dust.path_to_dustmaps": Code.DUST_MAP}


def test_a_map_that_is_not_read_here_is_refused_and_so_is_an_empty_folder(dp1):
    told(dp1, "dust").update(use_dustmap="marshall")
    assert "param.hats_config.dust.use_dustmap" in problems(dp1)
    told(dp1, "dust").update(use_dustmap="sfd", path_to_dustmaps="..")
    assert {problem.code for problem in problems(dp1).values()} == {Code.DUST_MAP}


def test_what_only_says_how_a_copy_is_made_changes_nothing(dp1, caplog):
    expected = dp1.make().table
    for part in ("cluster", "collection"):
        del dp1.param["hats_config"][part]
    told(dp1, "output").update(save_as="parquet", target_rows_per_part=5, order_by="tract")
    told(dp1, "input").update(quux=1)
    assert dp1.make().table.equals(expected)
    assert "quux: nobody knows this key" in caplog.text
