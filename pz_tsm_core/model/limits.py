"""How much a reader may take in before it refuses."""

from __future__ import annotations

from pydantic import Field

from pz_tsm_core.model.artifact import Value

GIB = 2**30


class Limits(Value):
    """Bounds on a table file that somebody else wrote; the defaults suit one worker."""

    max_bytes: int = Field(default=64 * GIB, gt=0)  # size of the file
    max_rows: int = Field(default=200_000_000, gt=0)
    max_columns: int = Field(default=5_000, gt=0)
    max_memory: int = Field(default=16 * GIB, gt=0)  # bytes of the columns that are read
    max_expansion: int = Field(default=64 * GIB, gt=0)  # bytes that a compressed file unfolds to
    max_ratio: int = Field(default=200, gt=0)  # and how many for each of its own, beyond 64 MiB
    max_seconds: float = Field(default=600.0, gt=0)  # to unfold a file; to parse a large one
