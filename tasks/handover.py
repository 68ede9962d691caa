"""Which files of a run its user gets, and under which names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pz_tsm_core.model.artifact import ArtifactRef, FileEntry
from pz_tsm_core.store import Store
from tasks.partition import COLLECTION

PAGE, BIBTEX, CREDITS = "report.html", "CITATIONS.bib", "ACKNOWLEDGEMENTS.md"

#: What is handed over of a stage's artifact, the page that explains it all first: all files of a
#: training set (None for all) and, where the recipe ends with the compilation, its tables and the
#: galaxies as HATS.
_REPORT: dict[str, tuple[str, ...] | None] = {"report": (PAGE, BIBTEX, CREDITS)}
_TRAINING_SET: dict[str, tuple[str, ...] | None] = {"export": None}
_COMPILATION: dict[str, tuple[str, ...] | None] = {
    "combine": None,
    "partition": (COLLECTION,),
}


def handed_over(
    made: Mapping[str, ArtifactRef], store: Store
) -> Iterator[tuple[str, ArtifactRef, FileEntry]]:
    """Name in the output folder and in an artifact, the artifact, and each file below that name.

    Parameters
    ----------
    made : artifact of every stage by its label; without a report, the files that it tells of
    """
    result = _TRAINING_SET if "export" in made else _COMPILATION
    for label, names in {**_REPORT, **result}.items():
        if label not in made:
            continue
        for file in store.manifest(made[label]).files:
            name = PurePosixPath(file.path).parts[0]
            if names is None or name in names:
                yield name, made[label], file
