"""The flow that makes a compilation: one row a galaxy from all redshifts of a recipe."""

from __future__ import annotations

from prefect import flow

from flows.order import compilation
from flows.submission import LOCAL, carry_out, task_runner
from pz_tsm_core.model.artifact import ArtifactRef, Principal
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.store import default_location
from tasks.stage import StoreAt


@flow(flow_run_name="{recipe.name}", task_runner=task_runner(), persist_result=False)
def compile_redshifts(
    recipe: Recipe, store: str | None = None, principal: Principal = LOCAL
) -> ArtifactRef:
    """Retrieve, standardize, combine and partition; give the compilation."""
    at = StoreAt(location=store or default_location(), principal=principal)
    return carry_out(compilation, recipe, at)
