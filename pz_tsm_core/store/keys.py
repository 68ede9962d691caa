"""Where artifacts stand below the root of a store."""

from __future__ import annotations

import re

from pz_tsm_core.model.artifact import ArtifactRef

OBJECTS = "objects"
STAGING = ".staging"  # artifacts in the making
TURNS = ".turns"  # who makes which of them
QUARANTINE = ".quarantine"  # damaged artifacts, kept for a look
ADDRESS = re.compile(r"[0-9a-f]{64}")


def key_of(stage: str, address: str) -> str:
    """Key of the artifact at an address; the level between keeps folders small."""
    return f"{OBJECTS}/{stage}/{address[:2]}/{address}"


def key_of_ref(ref: ArtifactRef) -> str:
    """Key of the artifact that a reference names."""
    return key_of(ref.stage, ref.address)
