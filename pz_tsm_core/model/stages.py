"""The table of stages: the whole pipeline on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as library_version
from typing import Any

from pz_tsm_core.model.artifact import (
    PUBLIC,
    Access,
    ArtifactRef,
    StageRequest,
    strictest,
)


@dataclass(frozen=True)
class Stage:
    """One step of the way.

    Parameters
    ----------
    version : raised whenever equal inputs would give another result
    libraries : distributions whose release may change the result
    """

    name: str
    version: int
    libraries: tuple[str, ...] = ()

    def request(
        self,
        inputs: Mapping[str, Sequence[ArtifactRef]] | None = None,
        *,
        data: Mapping[str, str] | None = None,
        policy: Mapping[str, Any] | None = None,
        access: Access = PUBLIC,
    ) -> StageRequest:
        """Everything this stage's result depends on, from which its address follows.

        The order of several inputs under one name does not matter. The result is for those who
        may see all of its inputs.
        """
        inputs = inputs or {}
        accesses = [access, *(ref.access for refs in inputs.values() for ref in refs)]
        return StageRequest(
            stage=self.name,
            version=self.version,
            inputs={name: sorted(ref.content for ref in refs) for name, refs in inputs.items()},
            data=dict(data or {}),
            policy=dict(policy or {}),
            libraries={name: library_version(name) for name in self.libraries},
            access=strictest(accesses),
        )


#: The native table, read and checked.
RETRIEVE = Stage("retrieve", 1, ("pyarrow", "astropy"))
#: Standard columns on one quality scale.
STANDARDIZE = Stage("standardize", 2, ("pyarrow",))
#: Measurements, galaxies and pairs.
COMBINE = Stage("combine", 2, ("scipy",))
#: The galaxies as HATS with margin.
PARTITION = Stage("partition", 2, ("hats",))
#: Which LSST objects are near each galaxy, and where they stand in the catalogue.
NEIGHBORS = Stage("neighbors", 1, ("cdshealpix", "lsdb"))
#: Each galaxy with its LSST object.
CROSSMATCH = Stage("crossmatch", 3)
#: Dereddened magnitudes of what matched.
CORRECT = Stage("correct", 3, ("dustmaps", "healpy", "astropy", "scipy", "numpy"))
#: Computed columns, and the rows that pass the cuts of the recipe.
SELECT = Stage("select", 1, ("pyarrow",))
#: Every galaxy on exactly one side.
SPLIT = Stage("split", 3)
#: Files for photo-z codes.
EXPORT = Stage("export", 3, ("pyarrow", "h5py"))
#: Metrics, the page that shows them, and whom to cite.
REPORT = Stage("report", 4, ("matplotlib", "jinja2"))

#: A survey from where it is published; known by its content, which no request tells beforehand.
FETCH = Stage("fetch", 1)
#: A table of a user, read and checked; no part of the way that a recipe describes.
PUT = Stage("put", 1, ("pyarrow", "astropy"))

STAGES = (
    RETRIEVE, STANDARDIZE, COMBINE, PARTITION, NEIGHBORS, CROSSMATCH, CORRECT, SELECT, SPLIT,
    EXPORT, REPORT,
)
