"""One tiny table a survey, with every standard value written down by hand."""

import pyarrow as pa
import pytest

from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.surveys import get_survey, registry

NAN = float("nan")
C = 299792.458  # km/s
NAMES = ("native_id", "z", "z_err", "quality", "object_class", "instrument_type", "native_flag")

SAMPLES = {
    "2dfgrs": (
        {"name": ["A", "B", "C", "D", "E", "F", "G", "H"],
         "z": [0.1, 0.1, 0.1, 0.1, 0.1, -9.0, 0.0007, 0.2],
         "quality": [1, 2, 3, 4, 5, 1, 4, 0]},
        [("A", 0.1, None, 0, "unknown", "s", "1"), ("B", 0.1, None, 1, "unknown", "s", "2"),
         ("C", 0.1, None, 3, "unknown", "s", "3"), ("D", 0.1, None, 4, "unknown", "s", "4"),
         ("E", 0.1, None, 4, "unknown", "s", "5"), ("G", 0.0007, None, 4, "star", "s", "4"),
         ("H", 0.2, None, 0, "unknown", "s", "0")],
        {"no_redshift": 1}),
    "6dfgs": (
        {"SPECID": [1, 2, 3, 4, 5, 6, 7, 8],
         "Z": [0.1, 0.1, 0.1, 0.1, 0.0001, -9.999, -0.07, 0.2],
         "QUALITY": [1, 2, 3, 4, 6, 1, 1, 5]},
        [("1", 0.1, None, 0, "unknown", "s", "1"), ("2", 0.1, None, 1, "unknown", "s", "2"),
         ("3", 0.1, None, 3, "unknown", "s", "3"), ("4", 0.1, None, 4, "unknown", "s", "4"),
         ("5", 0.0001, None, 4, "star", "s", "6"), ("8", 0.2, None, 0, "unknown", "s", "5")],
        {"no_redshift": 1, "redshift_out_of_range": 1}),
    "primus": (
        {"OBJNAME": ["a-1", "a-2", "a-3", "a-4", "a-5", "a-6"],
         "Z": [0.0, 0.5, 0.5, 0.5, 1.5, 0.5],
         "ZQUALITY": pa.array([-1, 2, 3, 4, 4, 1], pa.int16()),
         "CLASS": ["STAR  ", "GALAXY", "GALAXY", "GALAXY", "AGN   ", "      "]},
        [("a-1", 0.0, None, 0, "star", "g", "-1"), ("a-2", 0.5, None, 1, "galaxy", "g", "2"),
         ("a-3", 0.5, None, 2, "galaxy", "g", "3"), ("a-4", 0.5, None, 3, "galaxy", "g", "4"),
         ("a-5", 1.5, None, 3, "agn", "g", "4"), ("a-6", 0.5, None, 0, "unknown", "g", "1")],
        {}),
    "3dhst": (
        {"phot_id": [1, 1, 2, 3, 4, 5, 6],
         "field": ["uds", "aegis", "uds", "uds", "uds", "uds", "uds"],
         "z_best": [1.0, 1.0, 1.0, 1.0, -1.0, -99.0, 0.0], "z_best_s": [1, 2, 2, 3, 0, 3, 0],
         "z_spec": [1.0, -1.0, -1.0, -1.0, 0.0, -1.0, 0.0],
         "use_zgrism": [0, 1, 1, -1, 0, -1, 0], "use_phot": [1, 1, 1, 1, 0, 0, 0],
         "flag1": [0, 0, 1, -1, 0, -1, 0], "flag2": [0, 0, 0, -1, 0, -1, 0],
         "z_best_l68": [-1.0, 0.75, 0.875, 0.5, -1.0, -99.0, -1.0],
         "z_best_u68": [-1.0, 1.25, 1.375, 1.5, -1.0, -99.0, -1.0]},
        [("uds/1", 1.0, None, 3, "unknown", "s", "1"),
         ("aegis/1", 1.0, 0.25, 3, "unknown", "g", "2"),
         ("uds/2", 1.0, 0.25, 0, "unknown", "g", "2"),
         ("uds/3", 1.0, 0.5, 3, "unknown", "p", "3"), ("uds/6", 0.0, None, 0, "star", "g", "0")],
        {"no_redshift": 2}),
    "vandels": (
        {"id": ["UDS01   ", "UDS02   ", "UDS03   ", "UDS04   ", "UDS05   ", "UDS06   ",
                "UDS07   ", "UDS08   ", "UDS09   ", "UDS10   ", "UDS11   "],
         "zspec": pa.array([3, 3, 3, 3, 3, 9.9999, 2.5, 0, 3, 3, 3], pa.float32()),
         "zflg": pa.array([1, 22, 3, 4, 9, -10, 14, 24, -10, 20, 5], pa.float32())},
        [("UDS01", 3.0, None, 1, "unknown", "s", "1"),
         ("UDS02", 3.0, None, 2, "unknown", "s", "22"),
         ("UDS03", 3.0, None, 4, "unknown", "s", "3"), ("UDS04", 3.0, None, 4, "unknown", "s", "4"),
         ("UDS05", 3.0, None, 3, "unknown", "s", "9"), ("UDS07", 2.5, None, 4, "agn", "s", "14"),
         ("UDS08", 0.0, None, 4, "galactic", "s", "24"),
         ("UDS09", 3.0, None, 0, "unknown", "s", "-10"),
         ("UDS10", 3.0, None, 0, "unknown", "s", "20"),
         ("UDS11", 3.0, None, 0, "unknown", "s", "5")],
        {"no_redshift": 1}),
    "desi_dr1": (
        {"TARGETID": [1, 2, 3, 4, -5, 6, 7, 8], "SURVEY": ["main"] * 8, "PROGRAM": ["dark"] * 8,
         "Z": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0001, 2.0], "ZERR": [1e-4, 2e-3, 1e-4, 1e-4, 1e-4,
                                                                   1e-4, 1e-5, 0.0],
         "ZWARN": [0, 0, 4, 4, 0, 0, 0, 0], "ZCAT_PRIMARY": [True, True, True, False, True, True,
                                                            True, False],
         "OBJTYPE": ["TGT", "TGT", "TGT", "TGT", "", "SKY", "TGT", "TGT"],
         "SPECTYPE": ["GALAXY", "GALAXY", "GALAXY", "QSO", "STAR", "GALAXY", "STAR", ""]},
        [("1/main/dark", 0.5, 1e-4, 4, "galaxy", "s", "0"),
         ("2/main/dark", 0.5, 2e-3, 3, "galaxy", "s", "0"),
         ("3/main/dark", 0.5, 1e-4, 1, "galaxy", "s", "4"),
         ("4/main/dark", 0.5, 1e-4, 0, "qso", "s", "4"),
         ("-5/main/dark", 0.5, 1e-4, 0, "unknown", "s", "0"),
         ("6/main/dark", 0.5, 1e-4, 0, "unknown", "s", "0"),
         ("7/main/dark", 0.0001, 1e-5, 4, "star", "s", "0"),
         ("8/main/dark", 2.0, None, 0, "unknown", "s", "0")],
        {}),
    "2dflens": (
        {"unique_id": ["A", "B", "C", "D", "E", "F"],
         "z": [0.5, 0.5, 0.5, 0.5, -0.0004, 0.5], "qual": [1, 2, 3, 4, 6, 5]},
        [("A", 0.5, None, 0, "unknown", "s", "1"), ("B", 0.5, None, 1, "unknown", "s", "2"),
         ("C", 0.5, None, 3, "unknown", "s", "3"), ("D", 0.5, None, 4, "unknown", "s", "4"),
         ("E", -0.0004, None, 4, "star", "s", "6"), ("F", 0.5, None, 0, "unknown", "s", "5")],
        {}),
    "2mrs": (
        {"TMID": ["A", "B", "C", "D", "E"], "TYPE": ["98   ", "-9   ", " 3B_D", "-2X_R", "98   "],
         "V": pa.array([C, C / 4, C / 8, C / 2, None]), "EV": [0, C / 2**12, C / 2**5, None, 0]},
        [("A", 1.0, None, 3, "galaxy", "s", None), ("B", 0.25, 2**-12, 4, "agn", "s", None),
         ("C", 0.125, 2**-5, 3, "galaxy", "s", None), ("D", 0.5, None, 0, "galaxy", "s", None)],
        {"no_redshift": 1}),
    "mosdef": (
        {"FIELD": [*["UDS"] * 3, "AEGIS", *["COSMOS"] * 6], "ID": [7, 7, 7, 7, 1, 2, 3, 4, 5, 6],
         "MASKNAME": ["u1", "u1", "u2", "a1", *["c1"] * 6], "APERTURE_NO": [1, 2, *[1] * 8],
         "Z_MOSFIRE": [2.0] * 9 + [-1.0], "Z_QUAL": [0, 1, 2, 3, 4, 5, 6, 7, 8, 0]},
        [("UDS/7/u1/1", 2.0, None, 0, "unknown", "s", "0"),
         ("UDS/7/u1/2", 2.0, None, 0, "unknown", "s", "1"),
         ("UDS/7/u2/1", 2.0, None, 1, "unknown", "s", "2"),
         ("AEGIS/7/a1/1", 2.0, None, 1, "unknown", "s", "3"),
         ("COSMOS/1/c1/1", 2.0, None, 2, "unknown", "s", "4"),
         ("COSMOS/2/c1/1", 2.0, None, 2, "unknown", "s", "5"),
         ("COSMOS/3/c1/1", 2.0, None, 3, "unknown", "s", "6"),
         ("COSMOS/4/c1/1", 2.0, None, 4, "unknown", "s", "7"),
         ("COSMOS/5/c1/1", 2.0, None, 0, "unknown", "s", "8")],
        {"no_redshift": 1}),
    "vimos_goods": (
        {"ID_VIMOS": ["A ", "B ", "C ", "D ", "E ", "F ", "G ", "H ", "I "],
         "SPEC_Z": pa.array([3, 3, 3, 3, 3, 0, 0, NAN, 3], pa.float32()),
         "campaign_qf": ["LRb_A", "LRb_B", "LRb_C", "LRb_X", "MR_A", "MR_B", "MR_C", "MR_X", "MR"],
         "COMM": ["CIV_[CIII]_(BLAGN)  ", "Lya(em)_(BLAGN?) ", "agn", "agn?", None, "star  ",
                  "Star  ", "-", "starburst"]},
        [("A", 3.0, None, 4, "agn", "s", "LRb_A"), ("B", 3.0, None, 1, "unknown", "s", "LRb_B"),
         ("C", 3.0, None, 1, "agn", "s", "LRb_C"), ("D", 3.0, None, 0, "unknown", "s", "LRb_X"),
         ("E", 3.0, None, 4, "unknown", "s", "MR_A"), ("F", 0.0, None, 3, "star", "s", "MR_B"),
         ("G", 0.0, None, 1, "star", "s", "MR_C"), ("I", 3.0, None, 0, "unknown", "s", "MR")],
        {"no_redshift": 1}),
    "vuds_dr1": (
        {"vuds_ident": [1, 2, 3, 4, 5, 6, 7], "z_spec": [3.0, 3.0, 3.0, 0.0, 3.0, 3.0, 3.0],
         "zflags": [1, 22, 13, 4, 39, 19, 20]},
        [("1", 3.0, None, 1, "galaxy", "s", "1"), ("2", 3.0, None, 2, "galaxy", "s", "22"),
         ("3", 3.0, None, 3, "agn", "s", "13"), ("4", 0.0, None, 4, "star", "s", "4"),
         ("5", 3.0, None, 2, "galaxy", "s", "39"), ("6", 3.0, None, 2, "agn", "s", "19"),
         ("7", 3.0, None, 0, "galaxy", "s", "20")],
        {}),
    "astrodeep_gs43": (
        {"ID": [1, 2, 3, 4, 5], "z_best": [0.9, 1.1, 0.0, 1.3, -99.0],
         "zspec_survey": ["VUDS_2015", "-", "K20", None, "-"]},
        [("1", 0.9, None, 3, "unknown", "s", "VUDS_2015"),
         ("2", 1.1, None, 3, "unknown", "p", "-"), ("3", 0.0, None, 3, "galactic", "s", "K20"),
         ("4", 1.3, None, 0, "unknown", "p", None)],
        {"no_redshift": 1}),
    "candels": (
        {"redshift": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
         "quality": [0.0, 0.5, 0.7, 0.93, 0.99, 1.0, 1.5, None],
         "type": ["p", "p", "g", "p", "s", "s", "p", "x"]},
        [(None, 1.0, None, 0, "unknown", "p", "0"), (None, 1.1, None, 1, "unknown", "p", "0.5"),
         (None, 1.2, None, 2, "unknown", "g", "0.7"), (None, 1.3, None, 3, "unknown", "p", "0.93"),
         (None, 1.4, None, 4, "unknown", "s", "0.99"), (None, 1.5, None, 4, "unknown", "s", "1"),
         (None, 1.6, None, 0, "unknown", "p", "1.5"), (None, 1.7, None, 0, "unknown", "p", None)],
        {}),
}


def test_every_survey_of_the_registry_has_a_sample():
    assert set(SAMPLES) == set(registry())


def standardized(key):
    survey = get_survey(key)
    columns = SAMPLES[key][0]
    n = len(next(iter(columns.values())))
    ra, dec = [1.5 + i for i in range(n)], [-2.5 - i for i in range(n)]
    native = pa.table({**columns, survey.columns.ra.from_: ra, survey.columns.dec.from_: dec})
    assert set(native.column_names) == survey.native_columns
    return survey, standardize(native, survey)


@pytest.mark.parametrize("key", SAMPLES)
def test_a_survey_becomes_what_its_papers_say(key):
    survey, result = standardized(key)
    _, expected, dropped = SAMPLES[key]
    rows = result.table.to_pylist()
    assert sorted((tuple(row[name] for name in NAMES) for row in rows), key=repr) == sorted(
        expected, key=repr)
    assert result.rows.dropped == dropped
    for row in rows:
        assert (row["survey"], row["release"], row["survey_ordinal"]) == (
            key, survey.release, survey.ordinal)
        assert row["ra"] - 1.5 == -2.5 - row["dec"]  # both are of one native row


@pytest.mark.parametrize("key", SAMPLES)
def test_every_line_of_a_definition_decides_some_row(key):
    """Every rule wins for a row of the sample, and every `otherwise` holds for one."""
    _, result = standardized(key)
    assert [label for label, hits in result.rule_hits.items() if not hits] == []
