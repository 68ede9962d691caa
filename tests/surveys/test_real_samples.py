"""Real rows of thirteen catalogues, against an evaluation in pandas."""

import numpy as np
import pandas as pd
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.readers import read_table
from pz_tsm_core.surveys import get_survey

# What the definitions mean, written a second time in pandas: id, z, z_err, quality, class, type.

def expected_2dfgrs(d):
    star = (d.quality >= 3) & (d.z.abs() < 0.002)
    return (d.name, d.z.where(d.z != -9), np.nan, d.quality.map({1: 0, 2: 1, 3: 3, 4: 4, 5: 4}),
            np.where(star, "star", "unknown"), "s")


def expected_6dfgs(d):
    z = d.Z.where((d.Z != -9.999) & d.Z.between(-0.01, 7))
    return (d.SPECID.astype(str), z, np.nan, d.QUALITY.map({1: 0, 2: 1, 3: 3, 4: 4, 6: 4}),
            np.where(d.QUALITY == 6, "star", "unknown"), "s")


def expected_primus(d):
    return (d.OBJNAME, d.Z.astype(float), np.nan, d.ZQUALITY.map({-1: 0, 2: 1, 3: 2, 4: 3}),
            d.CLASS.str.strip().str.lower(), "g")


def expected_3dhst(d):
    good = (((d.z_best_s == 1) & (d.z_spec != -1))
            | ((d.z_best_s == 2) & (d.use_zgrism == 1) & (d.flag1 == 0) & (d.flag2 == 0))
            | ((d.z_best_s == 3) & (d.use_phot == 1)))
    error = (d.z_best_u68 - d.z_best_l68) / 2
    return (d.field + "/" + d.phot_id.astype(str), d.z_best.where(d.z_best >= 0),
            error.where(error > 0), np.where(good, 3, 0),
            np.where(d.z_best_s == 0, "star", "unknown"),
            d.z_best_s.map({0: "g", 1: "s", 2: "g", 3: "p"}))


def expected_vandels(d):
    flag = d.zflg.astype(int)
    last = flag.abs().astype(str).str[-1]
    quality = last.map({"0": 0, "1": 1, "2": 2, "3": 4, "4": 4, "9": 3})
    kind = np.where(d.zspec == 0, "galactic", np.where(flag == 14, "agn", "unknown"))
    return (d.id.str.strip(), d.zspec.astype(float).where(d.zspec < 9.99), np.nan, quality, kind,
            "s")


def expected_desi_dr1(d):
    sky = (d.OBJTYPE != "TGT") | (d.TARGETID < 0)
    quality = np.select(
        [sky, (d.ZWARN != 0) & d.ZCAT_PRIMARY, (d.ZWARN == 0) & d.ZCAT_PRIMARY],
        [0, 1, np.where(d.ZERR < 1e-3, 4, 3)], 0)
    return (d.TARGETID.astype(str) + "/" + d.SURVEY + "/" + d.PROGRAM, d.Z, d.ZERR, quality,
            np.where(sky, "unknown", d.SPECTYPE.str.lower()), "s")


def expected_2dflens(d):
    return (d.unique_id, d.z, np.nan, d.qual.map({1: 0, 2: 1, 3: 3, 4: 4, 6: 4}),
            np.where(d.qual == 6, "star", "unknown"), "s")


def expected_2mrs(d):
    # Redshift and error as others computed them from the velocities.
    quality = np.where((d.redshift_err > 0) & (d.redshift_err < 1e-3), 4, 3)
    return (d.TMID, d.redshift, d.redshift_err.where(d.redshift_err > 0), quality,
            np.where(d.TYPE.str[:2] == "-9", "agn", "galaxy"), "s")


def expected_mosdef(d):
    name = d.FIELD + "/" + d.ID.astype(str) + "/" + d.MASKNAME + "/" + d.APERTURE_NO.astype(str)
    return (name, d.Z_MOSFIRE.where(d.Z_MOSFIRE > 0), np.nan,
            d.Z_QUAL.map({7: 4, 6: 3, 5: 2, 4: 2, 3: 1, 2: 1, 1: 0, 0: 0}), "unknown", "s")


def expected_vimos_goods(d):
    letters = d.campaign.str.upper() + "_" + d.QF
    quality = letters.map({"LRB_A": 4, "MR_A": 4, "MR_B": 3, "LRB_B": 1, "LRB_C": 1, "MR_C": 1})
    remark = d.COMM.str.strip().str.lower()
    agn = remark.str.endswith("(blagn)") | (remark == "agn")
    return (d.ID_VIMOS.str.strip(), d.SPEC_Z.astype(float), np.nan, quality,
            np.where(remark == "star", "star", np.where(agn, "agn", "unknown")), "s")


def expected_vuds_dr1(d):
    last = (d.zflags % 10).map({1: 1, 2: 2, 3: 3, 4: 4, 9: 2})
    kind = np.select([d.z_spec == 0, d.zflags // 10 == 1], ["star", "agn"], "galaxy")
    return d.vuds_ident.astype(str), d.z_spec, np.nan, last, kind, "s"


def expected_astrodeep_gs43(d):
    return (d.ID.astype(str), d.z_best, np.nan, 3, np.where(d.z_best == 0, "galactic", "unknown"),
            np.where(d.zspec_survey == "-", "p", "s"))


def expected_candels(d):
    quality = np.digitize(d.quality, [1e-12, 0.7, 0.9, 0.99])
    return None, d.redshift, np.nan, quality, "unknown", d.type


KEYS = [name.removeprefix("expected_") for name in list(globals()) if name.startswith("expected_")]


@pytest.mark.parametrize("key", KEYS)
def test_real_rows_become_what_an_independent_evaluation_says(key, sample, standardized):
    native = pq.read_table(sample(key)).to_pandas()
    names = ["native_id", "z", "z_err", "quality", "object_class", "instrument_type"]
    values = dict(zip(names, globals()[f"expected_{key}"](native), strict=True))
    survey, result = get_survey(key), standardized(key)
    columns = survey.columns
    expected = pd.DataFrame({**values, "ra": native[columns.ra.from_].astype(float),
                             "dec": native[columns.dec.from_].astype(float)})
    expected = expected[expected.z.notna()]
    found = result.table.to_pandas()
    assert len(found) == len(expected) == result.rows.given
    assert found.row_id.is_unique
    assert found.native_id.isna().all() if columns.id is None else found.native_id.is_unique
    order = ["ra", "dec", "z"] if columns.id is None else ["native_id"]
    found, expected = (table.sort_values(order).reset_index() for table in (found, expected))
    for name in ("ra", "dec", "z", "z_err", "quality"):
        np.testing.assert_array_equal(found[name].to_numpy(dtype=float),
                                      expected[name].to_numpy(dtype=float), err_msg=name)
    for name in ("native_id", "object_class", "instrument_type"):
        assert found[name].fillna("").tolist() == expected[name].fillna("").tolist(), name
    assert result.rows.taken == len(native)


def test_vuds_counts_the_objects_of_its_release_paper(standardized):
    """2017A&A...600A.110T: 677 galaxies, two AGN of type I and 19 stars among 698 objects."""
    classes = standardized("vuds_dr1").table["object_class"].to_pandas().value_counts()
    assert classes.to_dict() == {"galaxy": 677, "star": 19, "agn": 2}


@pytest.mark.parametrize("key", KEYS)
def test_every_file_of_a_survey_gives_the_same_measurements(key, sample, standardized, tmp_path):
    """Parquet, CSV and FITS of the same rows, in any order: the same ids and values."""
    survey = get_survey(key)
    native = read_table(sample(key), columns=sorted(survey.native_columns))
    expected = standardized(key).table
    shuffled = native.take(np.random.default_rng(1).permutation(len(native)))
    frame = shuffled.to_pandas()
    Table.from_pandas(frame.astype({c: object for c in frame if frame[c].dtype == "str"})).write(
        tmp_path / "t.fits")
    pyarrow.csv.write_csv(shuffled, tmp_path / "t.csv")
    for name in ("t.fits", "t.csv"):
        read = read_table(tmp_path / name, columns=survey.native_columns)
        again = standardize(read, survey).table
        assert again["row_id"].equals(expected["row_id"]), name
        for column in ("quality", "object_class", "instrument_type", "native_id", "native_flag"):
            assert again[column].equals(expected[column]), (name, column)
        np.testing.assert_allclose(again["z"], expected["z"], rtol=1e-6)  # float32 as decimals
