"""The flow that makes a training set: redshifts with LSST photometry, split and exported."""

from __future__ import annotations

from prefect import flow

from flows.order import training_set
from flows.submission import LOCAL, carry_out, task_runner
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import ArtifactRef, Principal
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.store import default_location
from tasks.stage import StoreAt


@flow(flow_run_name="{recipe.name}", task_runner=task_runner(), persist_result=False)
def make_training_set(
    recipe: Recipe, store: str | None = None, principal: Principal = LOCAL
) -> ArtifactRef:
    """Make the compilation, match, correct, split and export; give the exported files."""
    if recipe.catalog is None:
        raise refuse(
            Code.RECIPE_MISSING_KEY, f"recipe {recipe.name}", found="no `catalog`",
            expected="the Object catalogue to match with",
            remedy="name one, or run the flow compile_redshifts",
        )
    at = StoreAt(location=store or default_location(), principal=principal)
    return carry_out(training_set, recipe, at)
