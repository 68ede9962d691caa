"""A recipe from its file: parsed, resolved and checked against everything it names."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from pz_tsm_core.dust import get_map, map_keys, mistakes
from pz_tsm_core.errors import Code, Problem, Problems, TsmError
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.model.document import Document, Loc, build, checked
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.recipe import ObjectCatalog, Recipe, Redshifts, SurveyFile
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.schema import SPLIT
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.object_columns import (
    columns_needed,
    require_columns,
    require_distinct,
    require_fluxes,
    require_objects,
    rows_before_cuts,
)
from pz_tsm_core.ops.photometry import require_reddened
from pz_tsm_core.ops.selection import Selection, parse_selection, selection_problems
from pz_tsm_core.releases import find_release, is_own
from pz_tsm_core.sky.catalog import catalog_schema, is_hats, is_remote
from pz_tsm_core.surveys import get_survey, own_definition, own_surveys, survey_keys


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe, whole and checked; relative paths in it start at its own folder.

    Raises
    ------
    TsmError
        with every mistake at once: unknown keys and values, surveys, releases, flux types and
        bands, and files that are not there.
    """
    return build_recipe(read_document(Path(path)), Path(path).resolve().parent)


def build_recipe(document: Document, root: Path) -> Recipe:
    """The recipe that a document describes, whole and checked.

    Parameters
    ----------
    root : where relative paths in it start

    Raises
    ------
    TsmError
        as `load_recipe`
    """
    try:
        recipe = resolve_paths(build(Recipe, document), root)
    except TsmError as error:
        rest = _what_can_be_checked(document)
        more = check_recipe(resolve_paths(rest, root), document.where) if rest else ()
        raise TsmError(*error.problems, *more) from None
    if problems := check_recipe(recipe, document.where):
        raise TsmError(*problems)
    return recipe


def _what_can_be_checked(document: Document) -> Recipe | None:
    """The recipe without the keys that are wrong, so that the rest is checked all the same."""
    content = copy.deepcopy(document.content)
    content.setdefault("output", {"directory": "."})
    for _ in range(3):  # a value may be wrong in its parts and then as a whole
        try:
            return Recipe.model_validate(content)
        except ValidationError as error:
            for detail in error.errors():
                _remove(content, detail["loc"])
    return None


def _remove(content: Any, loc: Loc) -> None:
    """Take the value at a place out of nested mappings and lists, as far as the place exists."""
    for part in loc[:-1]:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(content, dict):
        content.pop(loc[-1], None)


def resolve_paths(recipe: Recipe, root: Path) -> Recipe:
    """The recipe with every relative path made absolute, starting at `root`."""
    def absolute(path: str) -> str:
        return str(root / expanded(path))

    content = recipe.model_dump()
    for entry in (*content["redshifts"]["surveys"], *content["redshifts"]["tables"]):
        for key in {"file", "definition"} & {key for key, value in entry.items() if value}:
            entry[key] = absolute(entry[key])
        if entry.get("region") and (root / expanded(entry["region"])).is_file():
            entry["region"] = absolute(entry["region"])
    if content["redshifts"]["survey_path"]:
        content["redshifts"]["survey_path"] = absolute(content["redshifts"]["survey_path"])
    if content["catalog"] and not is_remote(content["catalog"]["path"]):
        content["catalog"]["path"] = absolute(content["catalog"]["path"])
        if is_own(content["catalog"]["release"]):
            content["catalog"]["release"] = absolute(content["catalog"]["release"])
    dereddening = content["photometry"]["dereddening"]
    if dereddening["directory"]:
        dereddening["directory"] = absolute(dereddening["directory"])
    content["output"]["directory"] = absolute(content["output"]["directory"])
    return Recipe.model_validate(content)


def survey_of_entry(entry: SurveyFile, own: Mapping[str, Survey] | None = None) -> Survey:
    """The definition that an entry of `redshifts.surveys` names, or brings.

    Parameters
    ----------
    own : surveys of the user's own, by key
    """
    if entry.definition is not None:
        return own_definition(Path(entry.definition))
    return get_survey(entry.survey or "", own)


def wanted_of_entry(entry: SurveyFile) -> Wanted:
    """The part of a survey that an entry of `redshifts.surveys` has fetched.

    Raises
    ------
    TsmError
        for a region that is none.
    """
    from pz_tsm_core.surveys.fields import region_of

    return checked(Wanted, rows=entry.rows, **(region_of(entry.region) if entry.region else {}))


def _dotted(loc: Loc) -> str:
    return "recipe: " + ".".join(map(str, loc))


def check_recipe(
    recipe: Recipe, where: Callable[[Loc], str] = _dotted
) -> tuple[Problem, ...]:
    """Everything that the recipe names and that is not there.

    Parameters
    ----------
    where : says for people where a key of the recipe stands
    """
    check = _Check(where)
    _check_redshifts(recipe.redshifts, check)
    if recipe.catalog:
        _check_matching(recipe, recipe.catalog, check)
    return check.problems.found


def _check_redshifts(redshifts: Redshifts, check: _Check) -> None:
    own = check.passes(("redshifts", "survey_path"),
                       lambda: own_surveys(redshifts.survey_path), inside=True)
    for index, survey in enumerate(redshifts.surveys):
        loc: Loc = ("redshifts", "surveys", index)
        if survey.definition:
            check.passes((*loc, "definition"), partial(survey_of_entry, survey), inside=True)
        elif own is not None:  # else a key may be one of those that cannot be read
            check.passes((*loc, "survey"), partial(survey_of_entry, survey, own))
        if survey.fetched:
            check.passes((*loc, "region"), partial(wanted_of_entry, survey))
        else:
            check.file((*loc, "file"), survey.file)
    for index, table in enumerate(redshifts.tables):
        loc = ("redshifts", "tables", index)
        check.file((*loc, "file"), table.file)
        if table.name in {*survey_keys(), *(own or ())}:
            check.problems.add(Code.RECIPE_BAD_VALUE, check.where((*loc, "name")),
                               found=f"`{table.name}`", expected="a name that no survey has",
                               remedy="call your table something else")


def _check_matching(recipe: Recipe, catalog: ObjectCatalog, check: _Check) -> None:
    """What only a recipe with an object catalogue must have."""
    release = check.passes(("catalog", "release"), lambda: find_release(catalog.release),
                           inside=is_own(catalog.release))
    schema = check.passes(("catalog", "path"), lambda: catalog_schema(catalog.path))
    selection = check.passes(("select",), lambda: parse_selection(recipe.select), inside=True)
    if release:
        _check_fluxes(release, recipe.photometry, schema, check)
    if schema is not None:
        check.passes(("catalog", "columns"), lambda: require_columns(catalog.columns, schema.names))
    if schema is not None and selection:
        rows = rows_before_cuts(schema, schema.names, recipe.photometry)
        check.passes(("select",), lambda: _fits(selection, rows), inside=True)
        if release and not check.problems.found:
            check.passes(("photometry",), lambda: _distinct(recipe, catalog, release, schema))
    _check_dust(recipe.photometry, release, schema, check)


def _check_fluxes(
    release: Release, policy: PhotometryPolicy, schema: pa.Schema | None, check: _Check
) -> None:
    """Whether the release, and then the catalogue, has the fluxes that are asked for."""
    # What kinds there are is for the catalogue to say, where it can be asked.
    kinds = [kind for kind in policy.flux if schema is None or kind in release.flux_types]
    known = not kinds or check.passes(
        ("photometry",), lambda: release.columns_for(tuple(kinds), policy.bands))
    check.passes(("photometry", "dereddening", "map"), lambda: require_reddened(release, policy))
    if known and schema is not None:
        check.passes(("catalog", "path"), lambda: require_objects(release, schema.names))
        check.passes(("photometry", "flux"), lambda: require_fluxes(release, policy, schema.names))


def _distinct(
    recipe: Recipe, catalog: ObjectCatalog, release: Release, schema: pa.Schema
) -> None:
    columns = columns_needed(release, recipe.photometry, recipe.select, extra=catalog.columns,
                             known=schema.names)
    rows = rows_before_cuts(schema, columns, recipe.photometry)
    require_distinct(rows.append(SPLIT.field))


def _fits(selection: Selection, rows: pa.Schema) -> None:
    if problems := selection_problems(selection, rows):
        raise TsmError(*problems)


def _check_dust(
    photometry: PhotometryPolicy, release: Release | None, schema: pa.Schema | None, check: _Check
) -> None:
    """A map and coefficients that are there, and go together."""
    loc: Loc = ("photometry", "dereddening")
    check.problems.extend(replace(problem, where=check.where((*loc, problem.where)))
                          for problem in mistakes(photometry, release))
    choice = photometry.dereddening
    if choice.map == "catalog" and release and release.ebv and schema is not None:
        check.passes((*loc, "map"), lambda: require_columns([str(release.ebv)], schema.names))
    if choice.map in map_keys():
        check.passes((*loc, "directory"), lambda: get_map(choice.map).require(choice.directory))


class _Check:
    """Collects what is wrong, under the place in the recipe that named it."""

    def __init__(self, where: Callable[[Loc], str]) -> None:
        self.where, self.problems = where, Problems()

    def passes(self, loc: Loc, attempt: Callable[[], Any], *, inside: bool = False) -> Any:
        """Give the result of an attempt, or None after its mistakes were noted.

        Parameters
        ----------
        inside : the mistakes stand in files that the recipe names, at lines of their own
        """
        try:
            return attempt()
        except TsmError as error:
            where = self.where(loc)
            self.problems.extend(
                replace(problem, where=f"{where}: {problem.where}" if inside else where)
                for problem in error.problems)
            return None

    def file(self, loc: Loc, path: str | None) -> None:
        """Note a file that is not there, or a folder that is no HATS catalogue."""
        if path is not None and not Path(path).is_file() and not is_hats(path):
            found = f"a folder, {path}" if Path(path).is_dir() else f"no file {path}"
            self.problems.add(Code.FILE_MISSING, self.where(loc), found=found,
                              expected="a local file, or a HATS folder, with a table of redshifts",
                              remedy="correct the path; relative paths start at the recipe")
