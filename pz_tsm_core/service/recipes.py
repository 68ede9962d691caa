"""The recipe that a request stands for, at a service and with what its store has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pz_tsm_core.errors import Code, Problem, Problems, TsmError, refuse
from pz_tsm_core.model.artifact import PUBLIC, Access
from pz_tsm_core.model.document import Document, Loc, parse_document
from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.model.photometry import BANDS
from pz_tsm_core.model.product import split_ref
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.propose import columns_of_product
from pz_tsm_core.recipes import build_recipe
from pz_tsm_core.service.choices import catalog_choice
from pz_tsm_core.service.requests import (
    PRIVATE,
    REGION,
    SERVICE,
    CombineChoice,
    PhotometryChoice,
    RefreshRequest,
    ResultRequest,
    TableChoice,
    TrainingSetRequest,
)
from pz_tsm_core.service.site import Site
from pz_tsm_core.store import Store

Content = dict[str, Any]

#: What the service says, and nobody else.
_OURS = frozenset({"schema", "name", "output", "cluster", "catalog"})
#: What would reach into the files of the machine, past the rights to them, or out of the house,
#: wherever it stands.
_REACHING = frozenset(
    {"file", "definition", "survey_path", "path", "directory", "access", "fetch"})


def recipe_of(request: ResultRequest | RefreshRequest, site: Site, store: Store) -> Recipe:
    """The recipe of a request.

    Parameters
    ----------
    store : opened by whoever asks; tables without named columns are looked into

    Raises
    ------
    TsmError
        with every mistake: a name that is the service's own, catalogues that the site has not,
        columns that cannot be recognised, mistakes in `more` with their lines.
    """
    misnamed = tuple(_reserved(request, site))
    try:
        recipe = _recipe_of(request, site, store)
    except TsmError as error:
        raise TsmError(*misnamed, *error.problems) from None
    if misnamed:
        raise TsmError(*misnamed)
    return recipe


def _recipe_of(request: ResultRequest | RefreshRequest, site: Site, store: Store) -> Recipe:
    problems = Problems()
    content: Content = {"schema": 1, "name": request.name, "cluster": _dumped(site.cluster),
                        "combine": _combine(request.combine)}
    redshifts = content["redshifts"] = _surveys(request, site)
    if isinstance(request, ResultRequest):
        redshifts["compilation"] = request.compilation or None
        redshifts["tables"] = list(_tables(request.tables, store, problems))
    if isinstance(request, TrainingSetRequest):
        _training_set(content, request, site, problems)
    more = Document("request", {}, {})
    if isinstance(request, ResultRequest) and request.more.strip():
        try:
            more = _more(request.more)
        except TsmError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    folder = folder_of(request, site)(access_of(request) or PUBLIC)
    content["output"] = {"directory": folder, **content.get("output", {})}
    whole = Document("request", _laid_over(content, more.content), more.lines)
    return build_recipe(whole, Path(site.results.directory))


def access_of(request: ResultRequest | RefreshRequest) -> Access | None:
    """Who alone may see the result under its name; None for whoever may see what is in it."""
    if isinstance(request, ResultRequest) and request.private:
        return Access(kind="private", name=request.owner)
    return None


def owner_of(request: ResultRequest | RefreshRequest) -> str:
    """Whose the name of the result is; a refresh is its operator's, whoever starts it."""
    return request.owner if isinstance(request, ResultRequest) else ""


def guard_of(request: ResultRequest | RefreshRequest, site: Site) -> GuardPolicy | None:
    """What must hold for the name to stand for the result; None where nobody asks for a guard."""
    if isinstance(request, RefreshRequest):
        return request.guard
    return site.guard if request.guarded else None


def folder_of(
    request: ResultRequest | RefreshRequest, site: Site
) -> Callable[[Access], str]:
    """Where the result is handed over, by who may see it: what is one person's, apart from all."""
    owner = SERVICE if isinstance(request, RefreshRequest) else request.owner

    def folder(access: Access) -> str:
        results = Path(site.results.directory)
        below = results / PRIVATE if access.kind == "private" else results
        return str(below / owner / request.name)

    return folder


def _reserved(request: ResultRequest | RefreshRequest, site: Site) -> Iterator[Problem]:
    """Whether the name is that of the compilation which only a guard lets become `latest`."""
    ours = site.refresh.name if site.refresh else RefreshRequest.model_fields["name"].default
    if isinstance(request, ResultRequest) and request.name == ours and not request.private:
        yield Problem(Code.PRODUCT_NAME, "request: name", f"`{request.name}`",
                      "a name that the service does not refresh by itself", "choose another one")


def _dumped(value: Any) -> Content:
    return dict(value.model_dump(mode="json"))


def _surveys(request: ResultRequest | RefreshRequest, site: Site) -> Content:
    return {"surveys": [{"survey": key} for key in dict.fromkeys(request.surveys)],
            "survey_path": site.survey_path}


def _combine(choice: CombineChoice) -> Content:
    """What is said; what is not, the preset says."""
    said = choice.model_dump(mode="json")
    return {key: value for key, value in said.items() if value not in (None, "")}


def _tables(
    choices: tuple[TableChoice, ...], store: Store, problems: Problems
) -> Iterator[Content]:
    for index, choice in enumerate(choices):
        name = split_ref(choice.table)[0].replace("-", "_")
        try:
            columns = choice.columns or columns_of_product(choice.table, store)
        except TsmError as error:
            problems.extend(_at(f"request: tables.{index}", error))
            continue
        yield {"name": name, "product": choice.table, "columns": columns}


def _training_set(
    content: Content, request: TrainingSetRequest, site: Site, problems: Problems
) -> None:
    """What a recipe says of matching and what follows."""
    content["match"] = _dumped(request.match)
    content["select"] = {"keep": list(request.keep)}
    content["split"] = {"seed": request.split.seed, "fractions": {
        part.name: part.fraction for part in request.split.parts}}
    content["output"] = {"formats": list(request.formats)}
    try:
        content |= _sky(request.photometry, site)
    except TsmError as error:
        problems.extend(_at("request: photometry", error))


def _sky(choice: PhotometryChoice, site: Site) -> Content:
    """The catalogue, and the photometry that it allows."""
    catalog = site.catalogs.get(choice.catalog)
    if catalog is None:
        raise refuse(Code.RECIPE_BAD_VALUE, "catalog", found=f"`{choice.catalog}`",
                     expected=f"one of {', '.join(site.catalogs) or 'those of the site: none'}",
                     remedy="choose one of them; the operator adds others")
    there = catalog_choice(choice.catalog, catalog).fluxes
    in_all = set(BANDS).intersection(*(there[kind] for kind in choice.flux if kind in there))
    photometry = {
        "flux": list(choice.flux), "values": list(choice.values),
        "bands": [band for band in BANDS if band in in_all],
        "not_detected": choice.not_detected,
        "dereddening": {"map": choice.dust_map, "coefficients": choice.coefficients,
                        "directory": site.dust},
    }
    return {"catalog": _dumped(catalog), "photometry": photometry}


def _more(text: str) -> Document:
    """What a person adds to the form, in the words of a recipe."""
    more = parse_document(text, "request.more")
    problems = Problems()
    for loc, value in _places(more.content, ()):
        ours = len(loc) == 1 and loc[0] in _OURS
        if ours or loc[-1] in _REACHING:
            problems.add(Code.RECIPE_BAD_VALUE, more.where(loc), found=f"`{loc[-1]}`",
                         expected="keys that the form and the service leave open",
                         remedy="leave it out; tables enter through `tsm put`, as `product`, "
                         "surveys through fetch-surveys")
        elif loc[-1] == "region" and not re.fullmatch(REGION, str(value)):
            problems.add(Code.RECIPE_BAD_VALUE, more.where(loc), found=repr(value),
                         expected="a field, or `cone` or `box` with numbers", remedy="correct it")
    problems.raise_if_any()
    return more


def _places(value: Any, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    """Every key of nested mappings and lists, with its value."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*loc, key), inner
        yield from _places(inner, (*loc, key))


def _laid_over(below: Any, above: Any) -> Any:
    """Mappings joined, whatever is said above; lists and values replaced."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}


def _at(place: str, error: TsmError) -> Iterator[Problem]:
    for problem in error.problems:
        yield replace(problem, where=f"{place}: {problem.where}")
