"""A flow of tests over any recipe, deployed as those of the service are."""

from __future__ import annotations

from prefect import flow

from flows.attending import attended
from flows.order import order_for
from flows.seen import seen
from flows.submission import carry_out, task_runner
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.recipe import Recipe
from tasks.stage import StoreAt


@flow(name="mock-sky", task_runner=task_runner(), persist_result=False)
def mock_sky(recipe: str, store: str) -> ArtifactRef:
    """Make whatever a recipe asks for.

    It travels as text: PostgreSQL sorts the keys of JSON, and the order of fractions is the split.
    """
    wanted = Recipe.model_validate_json(recipe)
    with attended(), seen() as view:
        return carry_out(order_for(wanted), wanted, StoreAt(location=store), view).ref
