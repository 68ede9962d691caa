"""The real rule file on the thirteen real catalogues gives the existing pipeline's columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.table import Table

import pz_tsm_core as tsm
from pz_tsm_core.frames import like, to_arrow
from pz_tsm_core.legacy import Homogenized, Output, Route, RuleFile, homogenize, load_rule_file
from pz_tsm_core.rules import parse, write

ROWS = 12_698
COMPARED = ("z_flag_homogenized", "instrument_type_homogenized", "instrument_type", "survey",
            "ra", "dec", "z", "z_flag", "z_err")


@pytest.fixture(scope="module")
def rules(shared_data: Path) -> RuleFile:
    return load_rule_file(shared_data / "linea" / "flags_translation.yaml")


@pytest.fixture(scope="module")
def ours(shared_data: Path, rules: RuleFile) -> dict[str, Homogenized]:
    """Every catalogue of the configuration, homogenized, by its name there."""
    folder = shared_data / "linea"
    config = yaml.safe_load((folder / "config_13_catalogues.yaml").read_text("utf-8"))
    return {
        entry["internal_name"]: homogenize(pq.read_table(folder / entry["path"]),
                                           entry["columns"], rules)
        for entry in config["inputs"]["specz"]
    }


@pytest.fixture(scope="module")
def theirs(shared_data: Path) -> pa.Table:
    """What the existing pipeline made, with the place of each row in its catalogue."""
    table = pq.read_table(shared_data / "linea" / "crd_13_catalogues.parquet")
    place = pc.replace_substring_regex(table["CRD_ID"], r"^CRD\d+_", "")
    return table.append_column("place", place.cast(pa.int64()))


def test_every_expression_of_the_real_file_has_a_translation(
    shared_data: Path, rules: RuleFile
) -> None:
    content = yaml.safe_load((shared_data / "linea" / "flags_translation.yaml").read_text("utf-8"))
    written = [(survey.upper(), key, [each["expr"] for each in block.get("conditions", [])])
               for survey, blocks in content["translation_rules"].items()
               for key, block in blocks.items()]
    read = [(survey, output.block, [each.expression.text for each in block.conditions])
            for survey, blocks in rules.rules.items() for output, block in blocks.items()]
    assert read == written
    assert sum(len(texts) for *_, texts in read) == 117
    assert len(rules.rules) == 38


def test_every_translation_can_be_written_as_a_rule_of_our_own(rules: RuleFile) -> None:
    trees = [condition.expression.tree for blocks in rules.rules.values()
             for block in blocks.values() for condition in block.conditions]
    assert [parse(write(tree)).tree for tree in trees] == trees


def test_all_rows_have_the_columns_of_the_existing_pipeline(
    ours: dict[str, Homogenized], theirs: pa.Table
) -> None:
    assert sum(len(done.table) for done in ours.values()) == len(theirs) == ROWS
    for name, done in ours.items():
        there = theirs.filter(pc.equal(theirs["source"], name)).sort_by("place")
        assert there["place"].to_pylist() == list(range(1, len(done.table) + 1))
        for column in COMPARED:
            assert done.table[column].to_pylist() == there[column].to_pylist(), (name, column)


@pytest.mark.parametrize("kind", [pd.DataFrame(), Table()], ids=["pandas", "astropy"])
def test_a_notebook_gets_the_same_columns_in_its_own_kind_of_table(
    shared_data: Path, ours: dict[str, Homogenized], kind: pd.DataFrame | Table
) -> None:
    folder = shared_data / "linea"
    config = yaml.safe_load((folder / "config_13_catalogues.yaml").read_text("utf-8"))
    for entry in config["inputs"]["specz"]:
        table = like(pq.read_table(folder / entry["path"]), kind)
        done = tsm.homogenize(table, entry["columns"], folder / "flags_translation.yaml")
        assert isinstance(done, type(kind))
        for output in (Output.Z_FLAG, Output.INSTRUMENT_TYPE):
            expected = ours[entry["internal_name"]].table[output.column].to_pylist()
            assert to_arrow(done)[output.column].to_pylist() == expected


def test_the_account_explains_every_row(ours: dict[str, Homogenized]) -> None:
    for name, done in ours.items():
        for account in done.accounts.values():
            fast = name == "017_candels_sitcomtn"
            assert account.route is (Route.FAST_PATH if fast else Route.RULES)
            counted = sum(c.rows for survey in account.surveys for c in survey.counts)
            assert counted + account.without_rules == (0 if fast else len(done.table))


def test_the_counts_are_those_of_the_values(ours: dict[str, Homogenized]) -> None:
    survey = ours["014_vlt_vimos_v2.0.1"].accounts[Output.Z_FLAG].surveys[0]
    assert {count.rule: count.rows for count in survey.counts} == {
        "z_flag == 4": 292, "z_flag == 3": 37, "z_flag == 2": 0, "z_flag == 1": 307,
        "z_flag == 0": 364, "default": 0}
    hst = ours["004_3dhst_v4.1.5"].accounts[Output.Z_FLAG].surveys[0]
    assert (hst.at_default, hst.counts[0].rows) == (130, 16)
