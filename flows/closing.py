"""The last words of a run: what was made, how to open it, and the next thing to try."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.store import Store


def closing(recipe: Recipe, made: ArtifactRef, store: Store) -> str:
    """Text for a person after a run that ended well.

    Parameters
    ----------
    made : the artifact of the last stage
    """
    return f"{recipe.name} is made: {store.directory(made)}"
