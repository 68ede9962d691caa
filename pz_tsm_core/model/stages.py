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
    promise : what the stage leaves, in one line
    """

    name: str
    version: int
    promise: str
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


RETRIEVE = Stage("retrieve", 1, "the native table, read and checked", ("pyarrow", "astropy"))
STANDARDIZE = Stage("standardize", 1, "standard columns on one quality scale", ("pyarrow",))
COMBINE = Stage("combine", 1, "measurements, galaxies and pairs", ("scipy",))
PARTITION = Stage("partition", 1, "the galaxies as HATS with margin", ("hats",))
CROSSMATCH = Stage("crossmatch", 1, "each galaxy with its LSST object", ("lsdb", "hats"))
CORRECT = Stage("correct", 1, "dereddened magnitudes of what matched",
                ("dustmaps", "astropy", "scipy", "numpy"))
SPLIT = Stage("split", 1, "every galaxy on exactly one side")
EXPORT = Stage("export", 1, "files for photo-z codes", ("pyarrow", "h5py"))

STAGES = (RETRIEVE, STANDARDIZE, COMBINE, PARTITION, CROSSMATCH, CORRECT, SPLIT, EXPORT)
