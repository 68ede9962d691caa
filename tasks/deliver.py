"""Hand a run's results over: files to the recipe's output folder, with the record of the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pz_tsm_core.export.deliver import deliver as deliver_files
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord, StageRecord
from pz_tsm_core.store import Store
from tasks.handover import handed_over


def deliver(recipe: Recipe, made: Mapping[str, ArtifactRef], store: Store) -> RunRecord:
    """Copy what a finished run made into its output folder.

    No stage: it is done anew by every run, and depends on the folder as the user left it.

    Parameters
    ----------
    made : artifact of every stage by its label, in the order of the work
    """
    stages = tuple(StageRecord(label=label, manifest=store.manifest(ref))
                   for label, ref in made.items())
    files = list(handed_over(made, store))
    noted = store.manifest(made["report"]).notes["citations"]
    return deliver_files(
        recipe, stages,
        sources={name: partial(store.copy_out, ref, name) for name, ref, _ in files},
        files=tuple(entry for _, _, entry in files),
        citations=tuple(Cited.model_validate(each) for each in noted),
    )
