"""Hand a run's results over: files to the recipe's output folder, with the record of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pz_tsm_core.export.deliver import deliver as deliver_files
from pz_tsm_core.model.artifact import ArtifactRef, FileEntry
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord, StageRecord
from pz_tsm_core.store import Store
from tasks.partition import COLLECTION

#: What is handed over of a stage's artifact: all of a training set (None for all), and, where the
#: recipe ends with the compilation, its three tables and the galaxies as HATS.
_LAST = "export"
_COMPILATION: dict[str, tuple[str, ...] | None] = {
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
    wanted = {_LAST: None} if _LAST in made else _COMPILATION
    sources: dict[str, Path] = {}
    files: list[FileEntry] = []
    for stage, names in wanted.items():
        folder = store.directory(made[stage])
        for file in store.manifest(made[stage]).files:
            name = PurePosixPath(file.path).parts[0]
            if names is None or name in names:
                sources[name] = folder / name
                files.append(file)
    return deliver_files(recipe, stages, sources, tuple(files))
