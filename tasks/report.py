"""Show what a run made: its metrics as a table, and a page for people with the citations."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.chance import Chance
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.stages import REPORT
from pz_tsm_core.quality.credits import credits_of_sky, credits_of_surveys
from pz_tsm_core.store import Draft, Store
from tasks.handover import BIBTEX, CREDITS, PAGE, handed_over
from tasks.rows import rows_of
from tasks.stage import stage_task

if TYPE_CHECKING:  # `tsm plan` reads this module and must not wait for matplotlib
    from pz_tsm_core.quality.metrics import Found
    from pz_tsm_core.quality.summary import TrainingSet

#: What has no say in the result, and what has none without an object catalogue.
_SILENT = {"cluster", "fetch"}
_OF_TRAINING_SETS = {"match", "photometry", "select", "split", "output"}


def request(
    stages: dict[str, ArtifactRef], recipe: Recipe, release: Release | None, dust: DustPin | None
) -> StageRequest:
    """The stages by address (equal contents may have come about otherwise), and what is shown."""
    policy = {
        "stages": {label: ref.address for label, ref in stages.items()},
        "recipe": shown(recipe),
        "credits": [each.model_dump(mode="json", exclude={"rows"})
                    for each in credits_of_sky(release, dust, rows=1)],
    }
    return REPORT.request({label: [ref] for label, ref in stages.items()}, policy=policy)


def shown(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe has a say in its result: of files the names, not where they lie."""
    hidden = _SILENT if recipe.catalog else _SILENT | _OF_TRAINING_SETS
    content = recipe.model_dump(mode="json", by_alias=True, exclude=hidden, exclude_none=True)
    redshifts = content["redshifts"]
    catalog = content.get("catalog", {})
    for entry in (redshifts, *redshifts["surveys"], *redshifts["tables"], catalog):
        for key in {"file", "definition", "path", "survey_path"} & set(entry):
            entry[key] = PurePath(entry[key]).name
        if entry.get("access") == {"kind": "public", "name": ""}:
            del entry["access"]
    content["redshifts"] = {key: value for key, value in redshifts.items()
                            if value and key not in _SILENT}
    if recipe.catalog:
        catalog["release"] = PurePath(catalog["release"]).name
        del content["output"]["directory"], content["photometry"]["dereddening"]["directory"]
    return dict(content)


@stage_task(request, label="report")
def report(
    draft: Draft,
    store: Store,
    *,
    stages: dict[str, ArtifactRef],
    recipe: Recipe,
    release: Release | None,
    dust: DustPin | None,
) -> None:
    """Leave the metrics, the page, BibTeX and acknowledgements; all from one pass over the rows."""
    from pz_tsm_core.citations import as_bibtex, as_text
    from pz_tsm_core.quality.checks import as_table
    from pz_tsm_core.quality.page import Report, checks_of, render

    found = _found(store, stages, recipe, release)
    matched = found.training_set.matched if found.training_set else 0
    cited = _cited(store, stages["combine"], found, credits_of_sky(release, dust, matched))
    checks = checks_of(found)
    told = Report(
        title=recipe.name, recipe=shown(recipe), found=found, checks=checks, cited=cited,
        names={each["key"]: each["name"] for each in _surveys(store, stages["combine"])},
        files=[entry for _, _, entry in handed_over(stages, store)],
        compilation=stages["combine"].address,
        access=request(stages, recipe, release, dust).access, software=version("pz-tsm"),
    )
    draft.write_table("metrics", as_table(checks))
    for name, text in ((PAGE, render(told)), (BIBTEX, as_bibtex(cited)), (CREDITS, as_text(cited))):
        (draft.directory / name).write_text(text, "utf-8")
    draft.note("citations", [each.model_dump(mode="json") for each in cited])
    draft.rows(taken=found.rows, given=found.rows)


def _found(
    store: Store, stages: dict[str, ArtifactRef], recipe: Recipe, release: Release | None
) -> Found:
    """Everything that is measured: the rows streamed, the manifests read."""
    from pz_tsm_core.quality.balance import balance
    from pz_tsm_core.quality.metrics import Found
    from pz_tsm_core.quality.rules import survey_rules
    from pz_tsm_core.quality.summary import (
        GALAXY_COLUMNS,
        MEASUREMENT_COLUMNS,
        summarise_compilation,
    )

    manifests = {label: store.manifest(ref) for label, ref in stages.items()}
    combined = stages["combine"]
    near = manifests["neighbors"].notes if release else {}
    return Found(
        balance=balance(manifests),
        rules=survey_rules(manifests.values()),
        compilation=summarise_compilation(
            rows_of(store, combined, "measurements", MEASUREMENT_COLUMNS),
            rows_of(store, combined, "galaxies", GALAXY_COLUMNS),
        ),
        fractions=recipe.split.fractions,
        training_set=_training_set(store, stages["split"], recipe, release, near["offsets"])
        if release else None,
        chance=Chance.model_validate(near["chance"]) if release else None,
    )


def _training_set(
    store: Store, divided: ArtifactRef, recipe: Recipe, release: Release,
    offsets: dict[str, dict[str, Any]],
) -> TrainingSet:
    from pz_tsm_core.quality.summary import TrainingSet
    from pz_tsm_core.sky.offsets import Offset

    photometry = recipe.photometry
    moved = offsets if recipe.match.offsets == "fit" else {}
    told = TrainingSet(release, photometry.bands, recipe.match.radius_arcsec,
                       photometry.dereddening,
                       {survey: Offset(**each) for survey, each in moved.items()})
    for batch in rows_of(store, divided, "training_set", told.columns):
        told.add(batch)
    return told


def _surveys(store: Store, combined: ArtifactRef) -> list[dict[str, Any]]:
    """What is told of every survey that came in, also of those behind an earlier compilation."""
    return list(store.manifest(combined).notes["surveys"])


def _cited(
    store: Store, combined: ArtifactRef, found: Found, sky: list[Cited]
) -> list[Cited]:
    """Whom to cite, those of the most rows first; a compilation counts its measurements."""
    rows = Counter[str]()
    if found.training_set:
        rows.update({key: found.redshifts.rows(key) for key in found.redshifts.counts})
    else:
        for kind, number in found.compilation.measurements.items():
            rows[kind.survey] += number
    surveys = credits_of_surveys(_surveys(store, combined), rows)
    return [*sorted(surveys, key=lambda each: (-each.rows, each.key)), *sky]
