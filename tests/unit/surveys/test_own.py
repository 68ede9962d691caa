"""Surveys of one's own: a folder of definitions beside the registry, named in recipes by key."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.pins import pin
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.document import build, parse_document
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.propose import propose_recipe
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys import get_survey, known_surveys, registry

DEFINITION = """\
schema: 1
key: {key}
ordinal: {ordinal}
name: {key}
facility: me
release: R1
year: 2026
columns:
  id: {{from: my_name}}
  ra: {{from: my_ra, unit: deg}}
  dec: {{from: my_dec, unit: deg}}
  z: {{from: my_z}}
  native_flag: {{from: my_grade}}
quality:
  rules: [{{when: my_grade == 'A', then: 4, source: me}}]
  otherwise: 1
  source: me
object_class: {{otherwise: galaxy, source: me}}
instrument_type: {{otherwise: s, source: me}}
"""
RECIPE = """\
schema: 1
name: own
redshifts:
  survey_path: mine
  surveys:
    - {survey: deep, file: deep.parquet}
output: {directory: out}
"""


def definition(key, ordinal=1_000_000):
    return DEFINITION.format(key=key, ordinal=ordinal)


@pytest.fixture
def place(tmp_path):
    """A recipe beside a table of a survey and the folder that defines it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "deep.yaml").write_text(definition("deep"))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    pq.write_table(pa.table({
        "my_name": ["a", "b", "c"], "my_ra": [1.0, 2.0, 3.0], "my_dec": [0.0] * 3,
        "my_z": [0.1, 0.2, 0.3], "my_grade": ["A", "B", "A"]}), tmp_path / "deep.parquet")
    return tmp_path


def refusal(attempt, *arguments):
    with pytest.raises(TsmError) as refused:
        attempt(*arguments)
    return refused.value.problems


def test_own_surveys_stand_behind_those_of_the_registry(place):
    (place / "mine" / "wide.yml").write_text(definition("wide", 1_000_001))
    (place / "mine" / "another.yaml").write_text(definition("another", 1_000_001))
    shutil.copy(place / "recipe.yaml", place / "mine")  # no definition, and no mistake
    assert list(known_surveys(place / "mine")) == [*registry(), "deep", "another", "wide"]
    assert known_surveys(None) == registry()
    with pytest.raises(TypeError):
        known_surveys(place / "mine")["x"] = get_survey("primus")


def test_every_mistake_of_every_file_of_the_folder_is_told_with_its_line(place):
    files = {
        "syntax.yaml": "key: [", "rule.yaml": definition("rule").replace("== 'A'", "= 'A'"),
        "taken.yaml": definition("vandels"), "place.yaml": definition("place", 7),
        "twice.yaml": definition("deep"), "broken.yaml": "redshifts: [",
    }
    for name, text in files.items():
        (place / "mine" / name).write_text(text)
    told = {(problem.code, problem.where.rsplit("/", 1)[-1]) for problem in refusal(
        known_surveys, place / "mine")}
    assert told == {
        (Code.SURVEY_INVALID, "syntax.yaml line 1, column 7"),
        (Code.SURVEY_INVALID, "broken.yaml line 1, column 13"),
        (Code.RULE_SYNTAX, "rule.yaml line 15: quality.rules.0.when, character 10"),
        (Code.SURVEY_INVALID, "taken.yaml: key"), (Code.SURVEY_INVALID, "place.yaml: ordinal"),
        (Code.SURVEY_INVALID, "twice.yaml: key"),
    }


def test_a_folder_that_is_none_is_refused(place):
    for folder in ("nowhere", "recipe.yaml"):
        assert [problem.code for problem in refusal(known_surveys, place / folder)] == [
            Code.FILE_MISSING]


def test_a_recipe_names_own_surveys_by_key_wherever_it_is_run(place, run, monkeypatch, tmp_path):
    monkeypatch.chdir("/")
    done = run(load_recipe(place / "recipe.yaml"), open_store(tmp_path / "store"))
    rows = done.table("standardize deep", "measurements").to_pydict()
    assert dict(zip(rows["native_id"], rows["quality"], strict=True)) == {"a": 4, "b": 1, "c": 4}
    counts = done.manifests["standardize deep"].counts
    assert counts["otherwise"] == {"quality: my_grade 'B'": 1}
    shown = str(done.manifests["report"].request.policy)
    assert "mine" in shown
    assert str(tmp_path) not in shown


def test_the_content_of_an_own_definition_is_pinned(place, tmp_path):
    store = open_store(tmp_path / "store")
    before = pin(load_recipe(place / "recipe.yaml"), store).sources[0].survey
    path = place / "mine" / "deep.yaml"
    path.write_text("# a remark\n" + path.read_text())
    assert pin(load_recipe(place / "recipe.yaml"), store).sources[0].survey.digest == before.digest
    path.write_text(path.read_text().replace("then: 4", "then: 3"))
    after = pin(load_recipe(place / "recipe.yaml"), store).sources[0].survey
    assert after.digest != before.digest


def test_without_the_folder_the_survey_is_unknown_and_the_nearest_is_named(place):
    recipe = place / "recipe.yaml"
    recipe.write_text(RECIPE.replace("  survey_path: mine\n", ""))
    assert [problem.code for problem in refusal(load_recipe, recipe)] == [Code.SURVEY_UNKNOWN]
    recipe.write_text(RECIPE.replace("survey: deep", "survey: deeep"))
    problem, = refusal(load_recipe, recipe)
    assert (problem.code, problem.remedy) == (Code.SURVEY_UNKNOWN, "did you mean `deep`?")
    assert problem.where == "recipe.yaml line 6: redshifts.surveys.0.survey"


def test_mistakes_of_the_folder_are_told_with_those_of_the_recipe(place):
    (place / "mine" / "odd.yaml").write_text(definition("odd").replace("year: 2026", "year: soon"))
    (place / "recipe.yaml").write_text(RECIPE.replace("deep.parquet", "nowhere.parquet"))
    assert {(problem.code, problem.where) for problem in refusal(
        load_recipe, place / "recipe.yaml")} == {
        (Code.SURVEY_INVALID, "recipe.yaml line 4: redshifts.survey_path: odd.yaml line 7: year"),
        (Code.FILE_MISSING, "recipe.yaml line 6: redshifts.surveys.0.file"),
    }


def test_an_own_table_cannot_be_called_as_an_own_survey(place):
    (place / "recipe.yaml").write_text(RECIPE.replace("output:", (
        "  tables: [{name: deep, file: deep.parquet, columns: {ra: my_ra, dec: my_dec, z: my_z}}]\n"
        "output:")))
    problem, = refusal(load_recipe, place / "recipe.yaml")
    assert (problem.code, problem.expected) == (Code.RECIPE_BAD_VALUE, "a name that no survey has")


@pytest.mark.parametrize(("key", "near"), [
    ("DESI-DR1", "desi_dr1"), ("desi dr1", "desi_dr1"), ("VUDS", "vuds_dr1"),
    ("2dfgr", "2dfgrs"), ("Primus", "primus"),
])
def test_an_unknown_survey_names_the_nearest(key, near):
    problem, = refusal(get_survey, key)
    assert (problem.code, problem.remedy) == (Code.SURVEY_UNKNOWN, f"did you mean `{near}`?")


def test_a_proposed_recipe_recognises_an_own_survey_and_names_its_folder(place):
    table = pq.read_table(place / "deep.parquet")
    graded = table.set_column(table.column_names.index("my_grade"), "my_grade", [["A"] * 3])
    pq.write_table(graded, place / "deep.parquet")
    proposal = propose_recipe(place / "deep.parquet", output=place / "proposed.yaml",
                              survey_path=place / "mine")
    assert proposal.survey == "deep"
    redshifts = build(Recipe, parse_document(proposal.recipe, "proposed.yaml")).redshifts
    assert (redshifts.survey_path, redshifts.surveys[0].survey) == ("mine", "deep")
    proposal.write()
    assert load_recipe(place / "proposed.yaml").redshifts.survey_path == str(place / "mine")
    other = propose_recipe(place / "deep.parquet", output=place / "other.yaml", name="mine",
                           survey_path=place / "mine", own=True)
    assert "survey_path" not in other.recipe


def test_a_name_without_its_release_means_all_of_them():
    problem, = refusal(get_survey, "gama")
    assert problem.remedy == "did you mean `gama_dr3` or `gama_dr4`?"
