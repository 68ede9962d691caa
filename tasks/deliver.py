"""Hand a run's results over: files to the recipe's output folder, with the record of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pz_tsm_core.export.deliver import deliver as deliver_files
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord, StageRecord
from pz_tsm_core.store import Store
from tasks.partition import COLLECTION

#: What is handed over of a stage's artifact: all files of a training set, and, where the recipe
#: ends with the compilation, its three tables and the galaxies as HATS.
_LAST = "export"
_COMPILATION = {
    "combine": ("measurements.parquet", "galaxies.parquet", "pairs.parquet"),
    "partition": (COLLECTION,),
}


def deliver(recipe: Recipe, made: Mapping[str, ArtifactRef], store: Store) -> RunRecord:
    """Copy what a finished run made into its output folder.

    No stage: it is done anew by every run, and depends on the folder as the user left it.

    Parameters
    ----------
    made : artifact of every stage by its label, in the order of the work
    """
    stages = tuple(StageRecord(label=label, manifest=store.manifest(ref))
                   for label, ref in made.items())
    return deliver_files(recipe, stages, dict(_sources(made, store)))


def _sources(made: Mapping[str, ArtifactRef], store: Store) -> list[tuple[str, Path]]:
    if _LAST in made:
        files = [file.path for file in store.manifest(made[_LAST]).files]
        return [(name, store.directory(made[_LAST]) / name) for name in files]
    return [(name, store.directory(made[stage]) / name)
            for stage, names in _COMPILATION.items() for name in names]
