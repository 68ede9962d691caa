"""The rules of every survey beside the existing pipeline's, on rows made for both.

The real rows of thirteen surveys (test_agreement.py) hold what surveys hold. Here rows are made of
every value of the samples, and of flags far beyond, in all combinations or many: what the rule file
of the existing pipeline says of them and what the definitions say is the same but for the kinds
that the page lists, each with its reason.
"""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from pz_tsm_core.legacy import homogenize, load_rule_file
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.surveys import get_survey, survey_keys, survey_rules

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "surveys_agreement.md"
TYPES = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "bool": pa.bool_()}

#: What the existing pipeline calls each survey; its other names are of the registry's older part.
THEIR_NAMES = {
    "2dfgrs": "2DFGRS", "2dflens": "2DFLENS", "2mrs": "2MRS", "3dhst": "3D-HST", "6dfgs": "6DFGS",
    "astrodeep_gs43": "ASTRODEEP", "astrodeep_jwst": "ASTRODEEP-JWST", "c3r2": "C3R2_DR3",
    "cosmos2020_classic": "COSMOS2020_CLASSIC", "cosmos_specz": "COSMOS_SRC",
    "cosmos_web": "COSMOS_WEB", "deimos10k": "DEIMOS_10K", "desi_edr": "DESI",
    "desi_deep_pilot": "DESI_DEEP_PILOT", "desi_dr1": "DESI_DR1", "elais_s1oid": "ELAISS1OID",
    "elais_fbmc": "ELAISFBMC", "elg_figs": "ELG_FIGS", "euclid_q1": "EUCLID_Q1",
    "fmos_cosmos": "FMOS_COSMOS", "gama_dr3": "GAMA_DR4", "gama_dr4": "GAMA_DR4",
    "help_dmu23": "HELP-DMU23", "jades_dr3": "JADES", "jades_dr5_photoz": "JADES_DR5_PHOTOZ",
    "jades_dr5_photoz_kron": "JADES_DR5_PHOTOZ_KRON", "mosdef": "MOSDEF", "ozdes_dr1": "OZDES",
    "ozdes_dr2": "OZDES", "primus": "PRIMUS", "sdss_dr17": "SDSS_DR17", "sdss_dr19": "SDSS_DR19",
    "swire_revised": "SWIRE-REVISED", "vandels": "VANDELS", "vimos_goods": "VIMOS",
    "vipers_pdr2": "VIPERS_PDR2", "vuds_dr1": "VUDS", "vvds": "VVDS", "xmm_lss": "XMM_LSS",
    "zcosmos_bright": "ZCOSMOS",
}
#: Beyond every documented flag.
FLAGS = [*range(45), *range(200, 235)]
DECIMALS = [flag + part for flag in (*range(5), 9, 18) for part in (0.1, 0.3, 0.4, 0.5)]
MOST_ROWS = 20_000
STAR = 6


def sample(survey):
    return pa.csv.read_csv(HERE / "samples" / f"{survey.key}.csv",
                           convert_options=pa.csv.ConvertOptions(
        column_types={name: TYPES[type_] for name, type_ in survey.types.items()},
        null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False))


def candidates(survey, native):
    """Values that are tried in each native column; those of the sample stand first."""
    here, rules = survey.columns, survey_rules(survey)
    read = frozenset[str]().union(*(rule.columns for rule in rules.expressions), here.z.natives,
                                  here.z_err.natives if here.z_err else ())
    tried = {}
    for name in native.column_names:
        values = [value for value in native[name].to_pylist() if value is not None]
        values += [value.strip() for value in values if isinstance(value, str)]  # as some read them
        tried[name] = list(dict.fromkeys(values)) if name in read else values[:1]
    if here.native_flag and (flag := here.native_flag.from_) in read:
        tried[flag] = list(dict.fromkeys([*tried[flag], *{
            "int": FLAGS, "float": [*map(float, FLAGS), *DECIMALS]}.get(survey.types[flag], [])]))
    return tried


def made(survey):
    """Rows of native values in all combinations, or in many; in those half of the flags are common.

    Every row has a position of its own, or an id where positions are in parts.
    """
    native = sample(survey)
    tried = candidates(survey, native)
    if math.prod(map(len, tried.values())) <= MOST_ROWS:
        rows = list(itertools.product(*tried.values()))
    else:
        chance = random.Random(survey.key)
        rows = [tuple(chance.choice(values[:12] if chance.random() < 0.5 else values)
                      for values in tried.values()) for _ in range(MOST_ROWS)]
    columns = dict(zip(native.column_names, zip(*rows, strict=True), strict=True))
    here = survey.columns
    columns[here.ra.from_ or here.id.from_[0]] = (
        [row / 100 for row in range(len(rows))] if here.ra.from_ else map(str, range(len(rows))))
    return pa.table([pa.array(list(columns[field.name]), field.type) for field in native.schema],
                    schema=native.schema)


def theirs(survey, native, rules):
    """Quality and instrument type of each row by the rule file."""
    blocks = rules.rules[THEIR_NAMES[survey.key]].values()
    read = {name for block in blocks for condition in block.conditions
            for name in condition.expression.columns}
    read |= {block.source for block in blocks if block.values}
    here, formulas = survey.columns, survey_rules(survey).formulas
    columns = {"survey": "survey_name"}
    table = native.append_column("survey_name", pa.array(
        [THEIR_NAMES[survey.key]] * len(native)))
    for name in ("z", "z_err"):
        column = getattr(here, name)
        if column and name in formulas:
            table = table.append_column(f"made_{name}", formulas[name].numbers(native))
        if column and name in {*read, "z"}:
            columns[name] = f"made_{name}" if name in formulas else column.from_
    if "z_flag" in read:
        columns["z_flag"] = here.native_flag.from_
    if "classFlag" in read:  # the class of a target of VIPERS: a galaxy
        table = table.append_column("classFlag", pa.array([1] * len(native)))
    done = homogenize(table, columns, rules).table
    return list(zip(done["z_flag_homogenized"].to_pylist(),
                    done["instrument_type_homogenized"].to_pylist(), strict=True))


def ours(survey, native):
    """Quality, class and instrument type of each row; None for a row that leaves."""
    name = "ra" if survey.columns.ra.from_ else "native_id"
    marks = native[survey.columns.ra.from_ or survey.columns.id.from_[0]].to_pylist()
    table = standardize(native, survey, bad_positions="drop").table
    decided = zip(*(table[column].to_pylist() for column in (
        "quality", "object_class", "instrument_type")), strict=True)
    rows = dict(zip(table[name].to_pylist(), decided, strict=True))
    return [rows.get(mark) for mark in marks]


def kind(there, here):
    """How two opinions of a row differ, or None: as the page writes it."""
    (flag, their_type), (quality, class_, our_type) = there, here
    flag = 0 if flag is None else int(flag)  # a value that no rule mentions
    galactic = class_ if class_ in ("star", "galactic") else ""
    if (flag, their_type, flag == STAR) == (quality, our_type, bool(galactic)):
        return None
    same = "the same" if (flag, their_type) == (quality, our_type) else f"{quality} {our_type}"
    return ("any" if same == "the same" else f"{flag} {their_type}",
            f"{same}, {galactic}" if galactic else same)


def listed():
    """(Survey, there, here) as the page lists them."""
    lines = PAGE.read_text("utf-8").split("## By rules alone")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in lines if line.startswith("|")]
    return rows[2:]


@pytest.fixture(scope="module")
def rules(shared_data):
    return load_rule_file(shared_data / "linea" / "flags_translation.yaml")


def test_every_survey_of_the_rule_file_is_compared(rules):
    assert set(THEIR_NAMES.values()) == set(rules.rules)
    assert set(THEIR_NAMES) <= set(survey_keys())


def test_every_kind_of_difference_stands_once_with_a_reason():
    kinds = [tuple(row[:3]) for row in listed()]
    assert len(set(kinds)) == len(kinds)
    assert {key for key, *_ in kinds} <= set(THEIR_NAMES)
    assert all(len(why) > 5 for *_, why in listed())


@pytest.mark.parametrize("key", THEIR_NAMES)
def test_rules_say_what_the_existing_pipeline_says_but_for_the_kinds_listed(key, rules):
    survey = get_survey(key)
    native = made(survey)
    pairs = zip(theirs(survey, native, rules), ours(survey, native), strict=True)
    found = {kind(there, here) for there, here in pairs if here is not None} - {None}
    assert found == {(there, here) for one, there, here, _ in listed() if one == key}
