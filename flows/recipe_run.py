"""The flow of `tsm run`: whatever a recipe asks for."""

from __future__ import annotations

from prefect import flow

from flows.order import order_for
from flows.seen import seen
from flows.submission import carry_out, task_runner
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.recipe import Recipe
from tasks.stage import StoreAt


@flow(flow_run_name="{recipe.name}", task_runner=task_runner(), persist_result=False)
def recipe_run(recipe: Recipe, at: StoreAt) -> ArtifactRef:
    """Do what the recipe says, with or without an Object catalogue; give the result."""
    with seen() as view:
        return carry_out(order_for(recipe), recipe, at, view).ref
