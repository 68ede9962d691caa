"""`tsm surveys` as a person and as a program meet it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import yaml
from pybtex.database import parse_string

from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.entry import COMMANDS, told_plainly
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.products import put
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys import registry
from pz_tsm_core.surveys.registry import DATA

OWN = """\
schema: 1
key: own
ordinal: 1000000
name: "Own \\e[2J"
facility: me
release: R1
year: 2026
footprint: {regions: [{box: [350, 10, -5, 5]}], z_range: [0, 2]}
columns:
  ra: {from: RA, unit: deg}
  dec: {from: DEC, unit: deg}
  z: {from: Z}
  native_flag: {from: Q}
quality:
  rules: [{when: Q == 'A', then: 4, source: me}]
  otherwise: 0
  source: me
object_class: {otherwise: unknown, source: me}
instrument_type: {otherwise: p, source: me}
"""


SOURCES = """\
sources:
  - {service: vizier, table: J/A+A/1/2/a, part: a}
  - {service: vizier, table: J/A+A/1/2/b, part: b}
  - {service: page, url: "https://example.org/"}
columns:"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with an own survey and a table of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.yaml").write_text(OWN)
    (tmp_path / "t.csv").write_text("RA,DEC,Z,Q\n1,2,0.5,A\n3,4,0.6,B\n5,6,,B\n7,8,0.7,\x1b[2J\n")
    return tmp_path


@pytest.fixture
def tsm(place, capsys):
    """Types a command; gives its exit status, standard output and standard error."""
    assert COMMANDS  # they are registered

    def typed(*words):
        with pytest.raises(SystemExit) as left:
            told_plainly(lambda: app(["surveys", *words]))
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return typed


def said(told):
    assert (told[0], told[2]) == (0, "")
    return json.loads(told[1])


def test_surveys_alone_lists_them(tsm):
    assert tsm() == tsm("list")
    assert tsm("--json") == tsm("list", "--json")
    assert [line["key"] for line in said(tsm("--json"))["surveys"]] == list(registry())
    code, out, err = tsm()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{len(registry())} surveys"
    assert [line.split()[0] for line in lines[3:]] == list(registry())


def test_own_surveys_are_listed_by_option_and_environment(tsm, monkeypatch):
    by_option = tsm("--survey-path", "mine")
    assert said(tsm("--survey-path", "mine", "--json"))["surveys"][-1]["key"] == "own"
    monkeypatch.setenv("PZ_TSM_SURVEY_PATH", "mine")
    assert tsm() == by_option
    assert said(tsm("show", "own", "--json"))["facility"] == "me"
    assert "\x1b" not in tsm("show", "own")[1] + tsm()[1]


@pytest.mark.parametrize(("words", "inside"), [
    (("--at", "359.5 1"), True), (("--at", "23:58:00 +01:00:00"), True), (("--at", "20 0"), False),
    (("--at", "20 0", "--radius", "10.5"), True), (("--z", "1.9:3"), True),
    (("--z", "2.1:3"), False), (("--type", "p"), True), (("--type", "g"), False),
    (("--facility", "ME"), True), (("OWN", "r1"), True), (("own", "r2"), False),
])
def test_surveys_are_searched(tsm, words, inside):
    found = said(tsm("search", *words, "--survey-path", "mine", "--json"))
    assert ("own" in {line["key"] for line in found["surveys"]}) == inside
    assert "own" not in {line["key"] for line in found.get("unknown", [])}


def test_surveys_without_a_footprint_are_told_apart(tsm):
    without = {key for key, survey in registry().items() if not survey.footprint.regions}
    found = said(tsm("search", "--at", "10 10", "--json"))
    assert {line["key"] for line in found.get("unknown", [])} == without
    assert {line["unknown"] for line in found.get("unknown", [])} <= {"footprint unknown"}


def test_bibtex_is_bibtex_and_nothing_else(tsm):
    for key in ("vandels", "2mrs"):
        code, out, err = tsm("show", key, "--bibtex")
        assert (code, err) == (0, "")
        cited = yaml.safe_load((DATA / f"{key}.yaml").read_text("utf-8"))["citation"]
        assert set(parse_string(out, "bibtex").entries) == set(cited)


def test_what_is_unknown_or_senseless_is_refused_on_standard_error(tsm):
    for words, told in [
        (("show", "vandel"), "did you mean `vandels`?"), (("search", "--at", "x"), "150.1 2.2"),
        (("search", "--z", "1"), "FROM:TO"), (("search", "--type", "q"), "'s', 'g' or 'p'"),
        (("search", "--at", "400 0"), "less than 360"), (("--survey-path", "nowhere"), "nowhere"),
        (("explain", "own", "t.csv"), "survey.unknown"),
        (("explain", "mine/own.yaml", "none.csv"), "file.missing"),
    ]:
        code, out, err = tsm(*words)
        assert (code, out) == (1, "")
        assert told in err


def test_rows_are_explained(tsm):
    found = said(tsm("explain", "mine/own.yaml", "t.csv", "--json"))
    assert [(line["rule"], line["gives"], line["rows"]) for line in found["quality"]] == [
        ("Q == 'A'", 4, 1), ("otherwise", 0, 2)]
    assert sorted((line["Q"], line["rows"], line["first row"])
                  for line in found["quality undecided"]) == [
                      ("'\x1b[2J'", 1, 3), ("'B'", 1, 1)]
    assert found["left out"] == ["1 no_redshift"]
    code, out, _ = tsm("explain", "own", "t.csv", "--survey-path", "mine")
    assert code == 0
    assert "\x1b" not in out
    assert "'B'" in out


def test_the_rows_of_a_product_are_explained_like_those_of_its_file(tsm, place, monkeypatch):
    put(place / "t.csv", "rows", store=open_store(place / "store"))
    put(place / "t.csv", "mine", store=open_store(place / "store"))  # a folder has that name, too
    mine = Access(kind="private", name="alice")
    put(place / "t.csv", "secret", access=mine,
        store=open_store(place / "store", Principal(name="alice")))
    monkeypatch.setenv("PZ_TSM_STORE", "store")
    of_file = said(tsm("explain", "mine/own.yaml", "t.csv", "--json"))
    for name in ("rows", "rows@1", "mine"):
        found = said(tsm("explain", "mine/own.yaml", name, "--json"))
        assert found.pop("title").startswith(f"{name.partition('@')[0]}@1 as own")
        assert found == {key: value for key, value in of_file.items() if key != "title"}
    for words, told in [(("rows@2",), "product.unknown"), (("secret",), "product.unknown"),
                        (("none.csv",), "file.missing")]:
        assert told in tsm("explain", "mine/own.yaml", *words)[2]
    assert tsm("explain", "mine/own.yaml", "secret", "--principal", "alice")[0] == 0
    (place / "rows").write_text("no table")  # what is there by that path is meant
    assert "file.format" in tsm("explain", "mine/own.yaml", "rows")[2]


def test_definitions_are_checked_with_all_mistakes_and_lines(tsm, place):
    (place / "bad.yaml").write_text(OWN.replace("Q == 'A'", "Q === 'A'").replace("4,", "6,")
                                    .replace("year: 2026", "year: [2026"))
    code, out, err = tsm("check", "bad.yaml", "mine/own.yaml")
    assert (code, out) == (1, "")
    assert "bad.yaml line 8" in err  # YAML itself stumbles there
    (place / "bad.yaml").write_text(OWN.replace("Q == 'A'", "Q === 'A'").replace("4,", "6,")
                                    .replace("year: 2026", "yeer: 2026")
                                    .replace("Z}", "Z, unit: x}"))
    code, out, err = tsm("check", "bad.yaml", "mine/own.yaml", "--json")
    assert (code, err) == (1, "")
    places = {problem["where"].split(":")[0] for problem in json.loads(out)["problems"]}
    assert places == {"bad.yaml", "bad.yaml line 7", "bad.yaml line 12", "bad.yaml line 15"}
    code, out, err = tsm("check", "mine/own.yaml", "--sample", "t.csv")
    assert (code, err) == (0, "")
    assert "own: sample" in out


RULES = """\
translation_rules:
  ONE:
    z_flag_translation: {1: 4, conditions: [{expr: z_err < 0.01 and Q != 'x', value: 3}]}
    instrument_type_translation: {default: s}
  Two: {z_flag_translation: {conditions: [{expr: z > 1, value: 2}, {expr: z > 2, value: 1}]}}
"""


def test_a_rule_file_of_an_existing_pipeline_is_checked(tsm, place):
    (place / "flags_translation.yaml").write_text(RULES)
    found = said(tsm("check", "flags_translation.yaml", "--json"))
    assert found["rule files"] == [{"file": "flags_translation.yaml", "dialect": "2026-06",
                                    "surveys": 2, "expressions": 3}]
    assert found["flags_translation.yaml: surveys"] == [
        {"survey": "ONE", "decides": ["z_flag", "instrument_type"], "values": 1, "expressions": 1,
         "reads": ["Q", "z_err", "z_flag"]},
        {"survey": "TWO", "decides": ["z_flag"], "values": 0, "expressions": 2, "reads": ["z"]}]
    assert "definitions" not in found
    both = said(tsm("check", "flags_translation.yaml", "mine/own.yaml", "--sample", "t.csv",
                    "--json"))
    assert (both["title"], both["definitions"][0]["key"]) == ("2 whole", "own")
    assert [line["key"] for line in both["remarks"]].count("flags_translation.yaml") == 1


def test_a_rule_file_is_refused_with_all_its_mistakes_beside_those_of_others(tsm, place):
    (place / "rules.yaml").write_text(RULES.replace("z > 1", "z ** 2 > 1").replace(
        "Q != 'x'", "Q.map(f)").replace("default: s", "default: x"))
    (place / "twice.yaml").write_text(RULES.replace("Two", "ONE"))
    (place / "bad.yaml").write_text(OWN.replace("Q == 'A'", "Q === 'A'"))
    code, out, err = tsm("check", "rules.yaml", "twice.yaml", "bad.yaml", "--json")
    assert (code, err) == (1, "")
    told = {(each["code"], each["where"].split(":")[0], each["found"].split(":")[0])
            for each in json.loads(out)["problems"]}
    assert told == {
        ("rule.syntax", "bad.yaml line 15", "the character '='"),
        ("legacy.expression", "rules.yaml line 3", "`Q.map(f)`"),
        ("legacy.rule-file", "rules.yaml line 4", "'x'"),
        ("legacy.expression", "rules.yaml line 5", "`z ** 2`"),
        ("legacy.rule-file", "twice.yaml line 5", "a key that stands twice"),
    }
    assert "powers have no translation" in tsm("check", "rules.yaml")[2]


def test_sources_are_checked_without_asking_anybody(tsm, place):
    every = said(tsm("check", "--sources", "--json"))
    assert {line["survey"] for line in every["sources"]} == set(registry())
    (place / "fine.yaml").write_text(OWN.replace("columns:", SOURCES, 1))
    one = said(tsm("check", "fine.yaml", "--sources", "--json"))["sources"]
    assert [(line["service"], line["part"], line["state"]) for line in one] == [
        ("vizier", "a", "not asked"), ("vizier", "b", "not asked"), ("page", "", "by hand")]
    (place / "bad.yaml").write_text(OWN.replace("columns:", SOURCES.replace("/b,", ","), 1))
    code, out, err = tsm("check", "bad.yaml", "--sources", "--json")
    assert (code, err) == (1, "")
    assert [each["where"] for each in json.loads(out)["problems"]] == ["own: sources.1.table"]
    for words in (("check",), ("check", "--sources", "--sample", "t.csv")):
        assert tsm(*words)[0] == 2


def test_it_looks_good_on_a_terminal_too():
    """A terminal of 100 columns: no line is wider, and every key is there."""
    code = ("import rich.console as c, functools; "
            "c.Console = functools.partial(c.Console, force_terminal=True, width=100); "
            "import sys; sys.argv = ['tsm', 'surveys']; "
            "from pz_tsm_core.cli import main; main()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(any(key[:6] in line for line in lines) for key in registry())


def test_explaining_a_real_catalogue_counts_all_its_rows(tsm, shared_data):
    path = shared_data / "specz" / "vandels_dr4_random_sample.parquet"
    found = said(tsm("explain", "vandels", str(path), "--json"))
    flags = pq.read_table(path, columns=["zflg", "zspec"]).to_pandas()
    flags = flags[flags.zspec < 9.9]  # 9.9999 and the like: no redshift
    last_digit = flags.zflg.abs().astype(int) % 10
    grades = {int(k): v for k, v in last_digit.map(
        {0: 0, 1: 1, 2: 2, 3: 4, 4: 4, 9: 3}).value_counts().items()}
    told: dict[int, int] = {}
    for line in found["quality by value"]:
        told[line["gives"]] = told.get(line["gives"], 0) + line["rows"]
    assert told == grades
