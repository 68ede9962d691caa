"""Which redshifts and objects belong together: brute force, LSDB and worked-out rows."""

from __future__ import annotations

import warnings

import lsdb
import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.coordinates import SkyCoord, search_around_sky
from hats.pixel_math.spatial_index import compute_spatial_index

from pz_tsm_core.errors import Code, TsmError

from .conftest import ARCSEC


def brute_force(setup, radius, n_neighbors=1, smallest=0.0):
    """Pairs (redshift, object) and their separations, by astropy on the whole sky."""
    specz = SkyCoord(setup.specz["ra"], setup.specz["DEC"], unit="deg")
    objects = SkyCoord(setup.objects["ra"], setup.objects["dec"], unit="deg")
    one, other, apart, _ = search_around_sky(specz, objects, radius * units.arcsec)
    pairs = pd.DataFrame({"place": one, "object": other, "apart": apart.arcsec})
    pairs = pairs[pairs.apart >= smallest].sort_values(["place", "apart"])
    pairs = pairs.groupby("place").head(n_neighbors)
    return {(int(setup.specz["ID"][one]), int(setup.objects["id"][other])): apart
            for one, other, apart in pairs.itertuples(index=False)}


@pytest.mark.parametrize(("radius", "neighbours", "smallest"), [
    (1.0, 1, 0.0), (2.0, 3, 0.0), (5.0, 2, 1.0)])
def test_every_pair_is_found_whatever_border_lies_between(sky, radius, neighbours, smallest):
    sky.param["crossmatch"] = {"radius_arcsec": radius, "n_neighbors": neighbours,
                               "min_radius_arcsec": smallest}
    rows = sky.make().table
    assert len(list((sky.folder / sky.catalog).rglob("Npix=*.parquet"))) > 20
    got = dict(zip(zip(rows["ID"].to_pylist(), rows["id"].to_pylist(), strict=True),
                   rows["_dist_arcsec"].to_pylist(), strict=True))
    assert len(got) == len(rows)
    assert got == pytest.approx(brute_force(sky, radius, neighbours, smallest), abs=1e-6)


def test_lsdb_gives_the_same_rows_columns_and_order_of_columns(sky):
    """As the existing pipeline calls it, on a catalogue with margin."""
    made = sky.make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left = lsdb.from_dataframe(pd.DataFrame(sky.specz), use_pyarrow_types=False,
                                   ra_column="ra", dec_column="DEC")
        right = lsdb.open_catalog(str(sky.folder / sky.catalog), columns="all")
        expected = left.crossmatch(
            right, radius_arcsec=1.0, n_neighbors=1, suffixes=["_specz", ""],
            suffix_method="all_columns", log_changes=False).compute(progress_bar=False)
    short = {f"{name}_specz": name for name in sky.specz if name not in sky.objects}
    expected = expected.rename(columns=short).sort_values("ID").reset_index(drop=True)
    got = made.table.to_pandas().sort_values("ID").reset_index(drop=True)
    assert list(got.columns) == [*expected.columns, "is_training_set"]
    for name in expected.columns:
        np.testing.assert_allclose(got[name].astype(float), expected[name].astype(float),
                                   rtol=0, atol=1e-5 if name == "_dist_arcsec" else 0)
    assert list(got["id"]) == list(expected["id"])  # 18 digits, that no float holds


def test_the_nearest_object_is_taken_and_several_redshifts_may_have_one(setup):
    made = setup.make()
    rows = {row["ID"]: (row["id"], row["_dist_arcsec"]) for row in made.table.to_pylist()}
    assert rows == {"a": (900000000000000002, pytest.approx(0.3, abs=1e-6)),
                    "b": (900000000000000003, pytest.approx(0.0, abs=1e-6)),
                    "c": (900000000000000003, pytest.approx(0.2, abs=1e-6))}
    assert (made.redshifts, made.matched, made.shared) == (4, 3, 2)


def test_rows_come_in_the_order_of_the_sky_the_nearest_first(setup):
    setup.param["crossmatch"]["n_neighbors"] = 5
    rows = setup.rows()
    assert [row["mag_i"] for row in rows if row["ID"] == "a"] == [21.0, 20.0]
    along = compute_spatial_index([row["ra_specz"] for row in rows],
                                  [row["DEC"] for row in rows])
    assert (np.diff(along) >= 0).all()


def test_a_smallest_radius_leaves_out_what_is_nearer(setup):
    setup.param["crossmatch"]["min_radius_arcsec"] = 0.4
    assert [(row["ID"], row["mag_i"]) for row in setup.rows()] == [("a", 20.0)]


def test_columns_of_redshifts_keep_their_suffix_where_objects_have_the_name(setup):
    setup.specz["mag_i"] = setup.specz["_dist_arcsec"] = [1.0, 2.0, 3.0, 4.0]
    assert setup.make().table.column_names == [
        "ID", "ra_specz", "DEC", "Z", "mag_i_specz", "_dist_arcsec_specz", "id", "ra", "dec",
        "mag_i", "_dist_arcsec", "is_training_set"]


def test_names_that_would_stand_twice_are_refused(setup):
    setup.objects["Z_specz"] = [0.1] * 4
    with pytest.raises(TsmError) as caught:
        setup.make()
    assert caught.value.codes == (Code.TABLE_DUPLICATE_COLUMN,)


def test_selected_columns_come_in_their_order_and_the_position_behind(setup):
    """LSDB adds the position to the columns that it is asked for."""
    setup.param["selected_cols"] = ["mag_i"]
    assert setup.make().table.column_names[4:-2] == ["mag_i", "ra", "dec"]
    setup.param["selected_cols"] = ["dec", "mag_i"]
    assert setup.make().table.column_names[4:-2] == ["dec", "mag_i", "ra"]


def test_what_says_where_a_row_lies_is_no_column_of_a_product(setup):
    setup.specz["_healpix_29"] = [1, 2, 3, 4]
    setup.objects |= {"Norder": [1] * 4, "Dir": [0] * 4, "Npix": [3] * 4}
    names = setup.make().table.column_names
    assert not {"_healpix_29", "_healpix_29_specz", "Norder", "Dir", "Npix"} & set(names)


def test_redshifts_without_any_object_are_refused(setup):
    setup.specz["DEC"] = [-40.0] * 4
    with pytest.raises(TsmError) as caught:
        setup.make()
    assert caught.value.codes == (Code.MATCH_EMPTY,)


def test_redshifts_without_a_position_are_told_with_their_place(setup):
    setup.specz["ra"][1] = None
    setup.specz["DEC"][2] = 100.0
    with pytest.raises(TsmError) as caught:
        setup.make()
    assert caught.value.codes == (Code.POSITION_RANGE, Code.POSITION_RANGE)
    assert "config.yaml line" in caught.value.problems[0].where
    assert "such as 2 None" in caught.value.problems[0].found


def test_of_several_tables_of_redshifts_the_last_is_used_and_it_is_said(setup, caplog):
    """As the existing pipeline does, whose log alone tells it."""
    setup.entries.insert(0, {"path": "none.parquet", "columns": {"ra": "RA", "dec": "DEC"}})
    assert len(setup.rows()) == 3
    assert "2 tables; only the last is used" in caplog.text


@pytest.mark.parametrize("where", ["release/mag/auto/sfd", "release/mag/auto/sfd/catalog"])
def test_a_catalogue_is_opened_by_its_own_path(setup, where):
    expected = setup.make().table
    setup.config["inputs"]["dataset"]["path"] = where
    setup.param["use_absolute_lsdb_path"] = True
    assert setup.make().table.equals(expected)
    del setup.param["use_absolute_lsdb_path"]  # July has no such key: a catalogue is one
    setup.param["hats_config"] = {}
    assert setup.make().table.equals(expected)


def test_the_catalogue_is_that_of_the_flux_its_type_and_the_dust_map(setup):
    setup.catalog = "release/flux/psf/none/catalog"
    setup.param.update(convert_flux_to_mag=False, flux_type="psf", dereddening="none")
    assert len(setup.rows()) == 3


def test_what_is_missing_in_param_is_what_the_schema_says(setup):
    del setup.config["param"], setup.config["executor"], setup.config["output_format"]
    assert len(setup.rows()) == 3


def test_a_pair_across_the_border_of_two_partitions_is_found_where_margins_are_lost(setup):
    """The border at RA 0, Dec 0 between base pixels; objects and redshifts on either side."""
    setup.specz = {"ID": ["w", "e"], "ra": [360 - 0.2 * ARCSEC, 45.0 + 0.2 * ARCSEC],
                   "DEC": [0.1 * ARCSEC, 0.0], "Z": [1.0, 2.0]}
    setup.objects = {"id": [1, 2, 3], "ra": [0.2 * ARCSEC, 45.0 - 0.2 * ARCSEC, 180.0],
                     "dec": [-0.1 * ARCSEC, 0.0, 60.0]}
    setup.rows_per_partition = 1
    setup.write()
    inner = setup.folder / setup.catalog / "catalog"  # opened without its margin
    setup.config["inputs"]["dataset"]["path"] = str(inner)
    setup.param["use_absolute_lsdb_path"] = True
    assert sorted((row["ID"], row["id"]) for row in setup.rows()) == [("e", 2), ("w", 1)]
