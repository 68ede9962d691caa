"""The registry from a notebook: list, show, check and explain."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
import yaml

import pz_tsm_core as tsm
from pz_tsm_core.errors import Code
from pz_tsm_core.surveys import registry
from pz_tsm_core.surveys.registry import DATA

OWN = """\
schema: 1
key: own
ordinal: 1000000
name: "<b>Own</b>"
facility: me
release: R1
year: 2026
citation: [2024arXiv240100001X]
footprint: {regions: [{cone: [150, 2, 1]}], z_range: [0, 2], objects: 1234}
unverified: ["that <i>Q</i> is a grade"]
types: {RA: float, DEC: float, V: int, Q: text, rows: int}
columns:
  ra: {from: RA, unit: deg}
  dec: {from: DEC, unit: deg}
  z: {from: V, unit: km/s, nulls: [0, -9], valid: [-0.01, 1]}
  native_flag: {from: Q}
  others: [rows]
quality:
  rules:
    - {when: "Q == '<u>' and rows == 2", then: 4, source: "a & b"}
    - {when: Q == 'B', then: 3, source: me}
  otherwise: 0
  source: me
object_class: {otherwise: unknown, source: me}
instrument_type: {otherwise: s, source: me}
"""
ROWS = {"RA": [1.0, 2.0, 3.0, 4.0], "DEC": [0.0] * 4, "V": [30000, 3000, 3000, -9],
        "Q": ["<u>", "<u>", None, "<u>"], "rows": [2, 1, 2, 2]}


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path


def written(key):
    """A definition as its file has it."""
    return yaml.safe_load(next(text for text in (path.read_text("utf-8")
                               for path in DATA.glob("*.yaml")) if f"\nkey: {key}\n" in text))


def test_every_survey_of_the_folder_is_listed_once():
    frame = tsm.list_surveys().to_pandas()
    files = [yaml.safe_load(path.read_text("utf-8")) for path in DATA.glob("*.yaml")]
    assert set(zip(frame.key, frame.name, frame.year, strict=True)) == {
        (each["key"], each["name"], each["year"]) for each in files}
    assert len(frame) == len(files)


@pytest.mark.parametrize("key", registry())
def test_every_survey_is_shown_whole(key):
    page, said = tsm.show_survey(key), written(key)
    text = " ".join(str(page).split())
    for name in ("quality", "object_class", "instrument_type"):
        rules = page.to_pandas(name)
        expected = [*((rule["when"], rule["then"], rule["source"])
                      for rule in said[name].get("rules", [])),
                    ("otherwise", said[name]["otherwise"], said[name]["source"])]
        assert list(rules.itertuples(index=False, name=None)) == expected
    for bibcode in said["citation"]:
        assert bibcode in text
    for fact in (said["facility"], *said.get("unverified", ()),
                 said.get("footprint", {}).get("about", "")):
        assert fact in text
    assert f"survey: {key}" in text
    native = {name for cell in page.to_pandas("columns").native for name in cell.split(", ")}
    assert registry()[key].native_columns <= native
    assert page._repr_html_().startswith("<div")


def test_sentinels_units_and_ranges_are_shown(own):
    page = tsm.show_survey("own", survey_path=own)
    z = page.to_pandas("columns").set_index("standard").loc["z"]
    assert (z["native"], z["unit"], z["not known"], z["from"], z["to"]) == (
        "V", "km/s", ["0", "-9"], -0.01, 1)
    assert z["type"] == ["int"]
    assert page.facts["in a recipe"].startswith(f"redshifts: {{survey_path: {own}, surveys: ")


def test_an_own_survey_is_listed_shown_standardized_and_explained(own):
    listed = tsm.list_surveys(at=(150.5, 2), z=(1, 3), survey_path=own).to_pandas()
    assert listed.set_index("key").loc["own", ["objects", "verified"]].tolist() == [1234, "own"]
    table = pd.DataFrame(ROWS)
    assert sorted(tsm.standardize(table, "own", survey_path=own)["quality"]) == [0, 0, 4]
    page = tsm.explain_flags(table, "own", survey_path=own)
    assert page.to_pandas("quality").rows.tolist() == [1, 0, 2]
    by_value = page.to_pandas("quality by value")
    assert by_value.columns.tolist() == ["Q", "native rows", "gives", "rows", "first row",
                                         "by rule"]
    undecided = page.to_pandas("quality undecided")
    assert undecided.iloc[:, :2].to_numpy().tolist() == [["'<u>'", "1"], ["null", "2"]]
    assert page.facts["left out"] == ["1 no_redshift"]
    for html in (page._repr_html_(), tsm.show_survey("own", survey_path=own)._repr_html_()):
        assert "<u>" not in html.replace("&lt;u&gt;", "")
        assert "<b>Own" not in html


def test_a_definition_is_named_by_its_file_too(own):
    assert tsm.show_survey(own / "own.yaml").title == "own: <b>Own</b>"
    assert tsm.explain_flags(pd.DataFrame(ROWS), str(own / "own.yaml")).title.startswith("table as")


def test_what_is_odd_in_a_definition_is_told_and_is_no_mistake(own):
    page = tsm.check_survey(own / "own.yaml", sample=pd.DataFrame(ROWS))
    told = page.to_pandas("remarks").remark.tolist()
    assert told == ["no `evidence`: say which table or page tells what columns and flags mean",
                    "unverified: that <i>Q</i> is a grade",
                    "no row of the sample is decided by quality: Q == 'B'"]
    assert page.to_pandas("own: quality").rows.tolist() == [1, 0, 2]


def test_mistakes_of_several_definitions_come_together(own):
    (own / "two.yaml").write_text(OWN)
    bad = OWN.replace("Q == 'B'", "Q = 'B'").replace("rows: int}", "x: int}")
    (own / "bad.yaml").write_text(bad)
    with pytest.raises(tsm.TsmError) as refused:
        tsm.check_survey(own / "own.yaml", own / "two.yaml", own / "bad.yaml", own / "none.yaml")
    assert [(problem.code, problem.where.rsplit("/", 1)[-1]) for problem in refused.value.problems
            ] == [(Code.SURVEY_INVALID, "two.yaml: key"),
                  (Code.SURVEY_INVALID, "bad.yaml line 11: types"),
                  (Code.RULE_SYNTAX, "bad.yaml line 21: quality.rules.1.when, character 3"),
                  (Code.FILE_MISSING, "none.yaml")]


def test_the_registry_has_no_mistakes():
    page = tsm.check_survey(*sorted(DATA.glob("*.yaml")))
    assert len(page.to_pandas()) == len(registry())
    said = page.to_pandas("remarks") if "remarks" in page.grids else pd.DataFrame({"remark": []})
    assert not said.remark.str.contains("ordinal|key").any()


def test_columns_that_a_table_lacks_are_refused(own):
    with pytest.raises(tsm.TsmError) as refused:
        tsm.explain_flags(pd.DataFrame(ROWS).drop(columns=["Q", "RA"]), own / "own.yaml")
    assert refused.value.codes == (Code.TABLE_MISSING_COLUMN,) * 2


def test_a_list_and_a_card_wait_for_no_library_of_tables():
    code = ("import sys; from pz_tsm_core.display.surveys import list_surveys, show_survey; "
            "str(list_surveys('desi')), str(show_survey('vandels')); "
            "print(*{'pandas', 'astropy', 'lsdb'}.intersection(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
