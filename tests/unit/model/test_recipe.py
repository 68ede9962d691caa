"""A recipe is validated whole: every mistake at once, each with its line and what to do."""

from __future__ import annotations

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.document import build, parse_document
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.recipes import load_recipe

GOOD = """\
schema: 1
name: good
redshifts:
  tables:
    - {name: mine, file: mine.csv, columns: {ra: RA, dec: DEC, z: Z}}
output: {directory: out}
"""


def _problems(text: str) -> dict[Code, list[str]]:
    with pytest.raises(TsmError) as refused:
        build(Recipe, parse_document(text, "r.yaml"))
    found: dict[Code, list[str]] = {}
    for problem in refused.value.problems:
        found.setdefault(problem.code, []).append(str(problem))
    return found


def test_a_recipe_without_a_catalogue_is_a_recipe() -> None:
    recipe = build(Recipe, parse_document(GOOD, "r.yaml"))
    assert recipe.catalog is None
    assert recipe.split.fractions == {"train": 0.7, "validation": 0.15, "test": 0.15}


def test_all_mistakes_are_told_at_once_with_line_and_nearest_key() -> None:
    found = _problems(GOOD + "match: {radius_arcsek: 1}\nsplit: {fractions: {a: 0.5}}\nsed: 3\n")
    assert set(found) == {Code.RECIPE_UNKNOWN_KEY, Code.RECIPE_BAD_VALUE}
    (misspelt, unknown), (fractions,) = found.values()
    assert "r.yaml line 7: match.radius_arcsek" in misspelt
    assert "did you mean `radius_arcsec`?" in misspelt
    assert "line 9" in unknown
    assert "line 8" in fractions
    assert "sum to 0.5" in fractions


@pytest.mark.parametrize(("text", "code"), [
    ("", Code.RECIPE_SYNTAX),
    ("- a\n- b\n", Code.RECIPE_SYNTAX),
    ("a: [1\n", Code.RECIPE_SYNTAX),
    ("a: 1\na: 2\n", Code.RECIPE_SYNTAX),
    ("a: &x [*x]\n", Code.RECIPE_SYNTAX),
    ("a: &a [" + "x," * 9 + "]\n" + "".join(
        f"{b}: &{b} [" + f"*{a}," * 9 + "]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
     Code.RECIPE_SYNTAX),
    ("? [1, 2]\n: 3\n", Code.RECIPE_SYNTAX),
    ("a: !!timestamp x\n", Code.RECIPE_SYNTAX),
    ("a: !!python/object/apply:os.system [ls]\n", Code.RECIPE_SYNTAX),
    ("x" * 1_000_001, Code.RECIPE_SYNTAX),
    ("a: " + "[" * 100_000, Code.RECIPE_SYNTAX),
    ("a: " + "{b: " * 100_000, Code.RECIPE_SYNTAX),
    ("name: ok\n", Code.RECIPE_MISSING_KEY),
    (GOOD.replace("schema: 1", "schema: 2"), Code.RECIPE_BAD_VALUE),
    (GOOD.replace("name: good", "name: ../../etc"), Code.RECIPE_BAD_VALUE),
    (GOOD.replace(", z: Z", ""), Code.RECIPE_BAD_VALUE),
    (GOOD + "match: {radius_arcsec: -1}\n", Code.RECIPE_BAD_VALUE),
    (GOOD + "split: {seed: -1}\n", Code.RECIPE_BAD_VALUE),
])
def test_what_is_no_recipe_is_refused(text: str, code: Code) -> None:
    assert code in _problems(text)


def test_a_file_is_checked_against_all_it_names(tmp_path) -> None:
    file = tmp_path / "recipe.yaml"
    surveys = "surveys: [{survey: desi_dr2, file: no.fits}]\n  tables:"
    file.write_text(GOOD.replace("tables:", surveys)
                    + "catalog: {path: nowhere, release: dp9}\nmatsch: {}\n")
    with pytest.raises(TsmError) as refused:
        load_recipe(file)
    assert set(refused.value.codes) == {
        Code.RECIPE_UNKNOWN_KEY, Code.SURVEY_UNKNOWN, Code.FILE_MISSING, Code.CATALOG_INVALID,
        Code.RELEASE_UNKNOWN, Code.DUST_MAP,
    }
    # The default of a key that the recipe does not have stands on no line.
    lines = {problem.code: "recipe.yaml line" in problem.where
             for problem in refused.value.problems}
    assert lines.pop(Code.DUST_MAP) is False
    assert all(lines.values())


def test_relative_paths_start_at_the_recipe(tmp_path) -> None:
    (tmp_path / "mine.csv").write_text("RA,DEC,Z\n1,2,3\n")
    (tmp_path / "recipe.yaml").write_text(GOOD)
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert recipe.redshifts.tables[0].file == str(tmp_path / "mine.csv")
    assert recipe.output.directory == str(tmp_path / "out")
