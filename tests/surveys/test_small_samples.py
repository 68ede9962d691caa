"""One tiny table a survey, with every standard value written down by hand."""

import pyarrow as pa
import pytest

from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.surveys import get_survey, registry

NAN = float("nan")
NAMES = ("native_id", "z", "z_err", "quality", "object_class", "instrument_type", "native_flag")

SAMPLES = {
    "2dfgrs": (
        {"name": ["A", "B", "C", "D", "E", "F", "G"],
         "z": [0.1, 0.1, 0.1, 0.1, 0.1, -9.0, 0.0007],
         "quality": [1, 2, 3, 4, 5, 1, 4]},
        [("A", 0.1, None, 0, "unknown", "s", "1"), ("B", 0.1, None, 1, "unknown", "s", "2"),
         ("C", 0.1, None, 3, "unknown", "s", "3"), ("D", 0.1, None, 4, "unknown", "s", "4"),
         ("E", 0.1, None, 4, "unknown", "s", "5"), ("G", 0.0007, None, 4, "star", "s", "4")],
        {"no_redshift": 1}),
    "6dfgs": (
        {"SPECID": [1, 2, 3, 4, 5, 6, 7], "Z": [0.1, 0.1, 0.1, 0.1, 0.0001, -9.999, -0.07],
         "QUALITY": [1, 2, 3, 4, 6, 1, 1]},
        [("1", 0.1, None, 0, "unknown", "s", "1"), ("2", 0.1, None, 1, "unknown", "s", "2"),
         ("3", 0.1, None, 3, "unknown", "s", "3"), ("4", 0.1, None, 4, "unknown", "s", "4"),
         ("5", 0.0001, None, 4, "star", "s", "6")],
        {"no_redshift": 1, "redshift_out_of_range": 1}),
    "primus": (
        {"OBJNAME": ["a-1", "a-2", "a-3", "a-4", "a-5"], "Z": [0.0, 0.5, 0.5, 0.5, 1.5],
         "ZQUALITY": pa.array([-1, 2, 3, 4, 4], pa.int16()),
         "CLASS": ["STAR  ", "GALAXY", "GALAXY", "GALAXY", "AGN   "]},
        [("a-1", 0.0, None, 0, "star", "g", "-1"), ("a-2", 0.5, None, 1, "galaxy", "g", "2"),
         ("a-3", 0.5, None, 2, "galaxy", "g", "3"), ("a-4", 0.5, None, 3, "galaxy", "g", "4"),
         ("a-5", 1.5, None, 3, "agn", "g", "4")],
        {}),
    "3dhst": (
        {"phot_id": [1, 1, 2, 3, 4, 5], "field": ["uds", "aegis", "uds", "uds", "uds", "uds"],
         "z_best": [1.0, 1.0, 1.0, 1.0, -1.0, -99.0], "z_best_s": [1, 2, 2, 3, 0, 3],
         "z_spec": [1.0, -1.0, -1.0, -1.0, 0.0, -1.0], "use_zgrism": [0, 1, 1, -1, 0, -1],
         "use_phot": [1, 1, 1, 1, 0, 0], "flag1": [0, 0, 1, -1, 0, -1],
         "flag2": [0, 0, 0, -1, 0, -1], "z_best_l68": [-1.0, 0.75, 0.875, 0.5, -1.0, -99.0],
         "z_best_u68": [-1.0, 1.25, 1.375, 1.5, -1.0, -99.0]},
        [("uds/1", 1.0, None, 3, "unknown", "s", "1"),
         ("aegis/1", 1.0, 0.25, 3, "unknown", "g", "2"),
         ("uds/2", 1.0, 0.25, 0, "unknown", "g", "2"),
         ("uds/3", 1.0, 0.5, 3, "unknown", "p", "3")],
        {"no_redshift": 2}),
    "vandels": (
        {"id": ["UDS01   ", "UDS02   ", "UDS03   ", "UDS04   ", "UDS05   ", "UDS06   ",
                "UDS07   ", "UDS08   "],
         "zspec": pa.array([3.0, 3.0, 3.0, 3.0, 3.0, 9.9999, 2.5, 0.0], pa.float32()),
         "zflg": pa.array([1, 22, 3, 4, 9, -10, 14, 24], pa.float32())},
        [("UDS01", 3.0, None, 1, "unknown", "s", "1"),
         ("UDS02", 3.0, None, 2, "unknown", "s", "22"),
         ("UDS03", 3.0, None, 4, "unknown", "s", "3"), ("UDS04", 3.0, None, 4, "unknown", "s", "4"),
         ("UDS05", 3.0, None, 3, "unknown", "s", "9"), ("UDS07", 2.5, None, 4, "agn", "s", "14"),
         ("UDS08", 0.0, None, 4, "galactic", "s", "24")],
        {"no_redshift": 1}),
    "desi_dr1": (
        {"TARGETID": [1, 2, 3, 4, -5, 6, 7, 8], "SURVEY": ["main"] * 8, "PROGRAM": ["dark"] * 8,
         "Z": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0001, 2.0], "ZERR": [1e-4, 2e-3, 1e-4, 1e-4, 1e-4,
                                                                   1e-4, 1e-5, 0.0],
         "ZWARN": [0, 0, 4, 4, 0, 0, 0, 0], "ZCAT_PRIMARY": [True, True, True, False, True, True,
                                                            True, False],
         "OBJTYPE": ["TGT", "TGT", "TGT", "TGT", "", "SKY", "TGT", "TGT"],
         "SPECTYPE": ["GALAXY", "GALAXY", "GALAXY", "QSO", "STAR", "GALAXY", "STAR", "QSO"]},
        [("1/main/dark", 0.5, 1e-4, 4, "galaxy", "s", "0"),
         ("2/main/dark", 0.5, 2e-3, 3, "galaxy", "s", "0"),
         ("3/main/dark", 0.5, 1e-4, 1, "galaxy", "s", "4"),
         ("4/main/dark", 0.5, 1e-4, 0, "qso", "s", "4"),
         ("-5/main/dark", 0.5, 1e-4, 0, "unknown", "s", "0"),
         ("6/main/dark", 0.5, 1e-4, 0, "unknown", "s", "0"),
         ("7/main/dark", 0.0001, 1e-5, 4, "star", "s", "0"),
         ("8/main/dark", 2.0, None, 0, "qso", "s", "0")],
        {}),
}


def test_every_survey_of_the_registry_has_a_sample():
    assert set(SAMPLES) == set(registry())


@pytest.mark.parametrize("key", SAMPLES)
def test_a_survey_becomes_what_its_papers_say(key):
    survey = get_survey(key)
    columns, expected, dropped = SAMPLES[key]
    n = len(next(iter(columns.values())))
    ra, dec = [1.5 + i for i in range(n)], [-2.5 - i for i in range(n)]
    native = pa.table({**columns, survey.columns.ra.from_: ra, survey.columns.dec.from_: dec})
    assert set(native.column_names) == survey.native_columns
    result = standardize(native, survey)
    rows = {row["native_id"]: row for row in result.table.to_pylist()}
    assert sorted(tuple(row[name] for name in NAMES) for row in rows.values()) == sorted(expected)
    assert result.rows.dropped == dropped
    for row in rows.values():
        assert (row["survey"], row["release"], row["survey_ordinal"]) == (
            key, survey.release, survey.ordinal)
        assert row["ra"] - 1.5 == -2.5 - row["dec"]  # both are of one native row
