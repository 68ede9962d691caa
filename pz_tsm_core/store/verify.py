"""Whether everything that a version rests on is what was published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.artifact import ArtifactRef, Manifest
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.store.inspector import Inspector
from pz_tsm_core.store.keys import key_of_ref
from pz_tsm_core.store.refusals import LOST


@dataclass(frozen=True)
class Verified:
    """What was read, and what differs, a line for each file."""

    files: int
    bytes: int
    damages: tuple[str, ...]


def verify(
    manifest_of: Callable[[ArtifactRef], Manifest], inspector: Inspector, version: ProductVersion
) -> Verified:
    """Compare every file of every artifact of a version with its manifest."""
    files = size = 0
    damages: list[str] = []
    for label, ref in version.artifacts.items():
        try:
            manifest = manifest_of(ref)
        except TsmError as error:
            if not LOST.issuperset(error.codes):
                raise
            damages += [f"{label}: {problem.found}" for problem in error.problems]
            continue
        damages += [f"{label}: {damage}" for damage in inspector.damages(key_of_ref(ref), manifest)]
        files += len(manifest.files)
        size += sum(file.size for file in manifest.files)
    return Verified(files, size, tuple(damages))
