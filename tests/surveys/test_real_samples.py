"""Real rows of six catalogues, against an evaluation in pandas and an existing pipeline's result.

The samples (1,000 random rows each) are those of the repository
linea-it/pzserver_combine_redshift_dedup; they are no part of this project.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.readers import read_table
from pz_tsm_core.surveys import get_survey

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = {
    "2dfgrs": "2dfgrs_final_release", "6dfgs": "6dfgs_dr3", "primus": "primus_dr1",
    "3dhst": "3dhst_v4.1.5", "vandels": "vandels_dr4",
    "desi_dr1": "desi_dr1_in_lsst_dp1_fields",
}
LINEA_NAMES = {"2dfgrs": "2DFGRS", "6dfgs": "6DFGS", "primus": "PRIMUS", "3dhst": "3D-HST",
               "vandels": "VANDELS", "desi_dr1": "DESI"}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no real samples in ../shared/data")


def path(key):
    return DATA / "specz" / f"{FILES[key]}_random_sample.parquet"


def measured(key):
    survey = get_survey(key)
    result = standardize(read_table(path(key), columns=survey.native_columns), survey)
    return result, result.table.to_pandas().set_index("native_id")


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


@pytest.mark.parametrize("key", FILES)
def test_real_rows_become_what_an_independent_evaluation_says(key):
    native = pq.read_table(path(key)).to_pandas()
    names = ["native_id", "z", "z_err", "quality", "object_class", "instrument_type"]
    values = dict(zip(names, globals()[f"expected_{key}"](native), strict=True))
    survey = get_survey(key)
    expected = pd.DataFrame({**values, "ra": native[survey.columns.ra.from_],
                             "dec": native[survey.columns.dec.from_]})
    expected = expected[expected.z.notna()].set_index("native_id")
    result, ours = measured(key)
    assert len(ours) == len(expected)
    ours = ours.loc[expected.index]
    for name in ("ra", "dec", "z", "z_err", "quality"):
        np.testing.assert_array_equal(ours[name].to_numpy(dtype=float),
                                      expected[name].to_numpy(dtype=float), err_msg=name)
    for name in ("object_class", "instrument_type"):
        assert ours[name].tolist() == expected[name].tolist()
    assert result.rows.taken == 1000
    assert result.rows.taken == result.rows.given + sum(result.rows.dropped.values())


#: Rows that leave, by survey: sentinels, and two unusable redshifts of 6dFGS below -0.01.
DROPPED = {"2dfgrs": {"no_redshift": 20}, "6dfgs": {"no_redshift": 6, "redshift_out_of_range": 2},
           "primus": {}, "3dhst": {"no_redshift": 19}, "vandels": {"no_redshift": 37},
           "desi_dr1": {}}

#: (their flag, our quality, our class) -> rows, where the two differ; 6 there is "a star".
DIFFERENCES = {
    # No flag for stars in 2dFGRS: we class by redshift, the quality is the same.
    "2dfgrs": {},
    # A confirmed star is a class here, and its redshift is sound.
    "6dfgs": {(6, 4, "star"): 49},
    "primus": {},
    # Their stars have no redshift and leave here.
    "3dhst": {},
    "vandels": {},
    # Fibres on the sky have no redshift, whatever the fit says (their rule does not look).
    "desi_dr1": {(1, 0, "unknown"): 186, (6, 0, "unknown"): 3,
                 # Stars: quality is that of the redshift: sound, with a warning, not primary.
                 (6, 4, "star"): 91, (6, 1, "star"): 2, (6, 0, "star"): 4},
}


@pytest.mark.parametrize("key", FILES)
def test_every_difference_from_the_existing_pipeline_has_a_reason(key):
    theirs = pd.read_parquet(DATA / "linea" / "crd_13_catalogues.parquet")
    theirs = theirs[theirs.survey == LINEA_NAMES[key]]
    theirs = theirs.assign(id=theirs.id.str.strip().str.removesuffix(".0"))
    result, ours = measured(key)
    assert result.rows.dropped == DROPPED[key]
    # Their id is the last part of ours that is no name of a programme; positions make it unique.
    part = {"desi_dr1": 0, "3dhst": -1}.get(key, 0)
    ours = ours.assign(id=ours.index.str.split("/").str[part])
    both = ours.merge(theirs, on="id", suffixes=("", "_theirs"))
    both = both[(both.ra - both.ra_theirs).abs() < 1e-9]
    assert len(both) == len(ours)
    differ = both[both.quality != both.z_flag_homogenized.astype(float)]
    their_flag = differ.z_flag_homogenized.astype(int)
    found = differ.groupby([their_flag, "quality", "object_class"]).size()
    assert found.to_dict() == DIFFERENCES[key]
    assert both.instrument_type.tolist() == both.instrument_type_homogenized.tolist()


@pytest.mark.parametrize("key", FILES)
def test_every_file_of_a_survey_gives_the_same_measurements(key, tmp_path):
    """Parquet, CSV and FITS of the same rows, in any order: the same ids and values."""
    survey = get_survey(key)
    native = read_table(path(key), columns=sorted(survey.native_columns))
    expected = standardize(native, survey).table
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
