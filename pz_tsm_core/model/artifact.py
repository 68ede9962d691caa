"""What a stage leaves behind, who may see it, and the record that proves it whole."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,64}$")]


class Value(BaseModel):
    """Base of all domain values: frozen, checked when built, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Access(Value):
    """Who may read an artifact: everybody, holders of a right, or one owner."""

    kind: Literal["public", "rights", "private"] = "public"
    name: str = ""  # the right or the owner; empty for public

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


PUBLIC = Access()


class Principal(Value):
    """Who opens the store: a name and the data rights held."""

    name: str = "local"
    rights: frozenset[str] = frozenset()


class ArtifactRef(Value):
    """The small thing that travels between tasks in place of data."""

    stage: str
    address: Sha256  # what was asked for
    content: Digest  # what came out


class StageRequest(Value):
    """Everything that a stage's result depends on, and nothing else.

    No time, host, path or run id stands here: equal requests have equal results.
    """

    stage: str
    version: int
    inputs: dict[str, list[Digest]] = Field(default_factory=dict)  # content digests
    data: dict[str, Digest] = Field(default_factory=dict)  # survey YAML, dust map, release ...
    policy: dict[str, Any] = Field(default_factory=dict)  # the recipe fields that the stage reads
    libraries: dict[str, str] = Field(default_factory=dict)
    access: Access = PUBLIC

    @property
    def address(self) -> str:
        """sha256 over the canonical JSON of the request, as 64 hexadecimal digits.

        The owner of private inputs is part of the request, so that a cache hit never shows
        one owner's data to another.
        """
        return hashlib.sha256(canonical_json(self.model_dump(mode="json"))).hexdigest()


class FileEntry(Value):
    """One file of an artifact."""

    path: str  # relative to the artifact, POSIX separators
    size: int
    sha256: Sha256


class Rows(Value):
    """The row balance of a stage: every row that came in is accounted for."""

    taken: int = Field(ge=0)
    given: int = Field(ge=0)
    dropped: dict[str, int] = Field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether rows in = rows out + rows dropped for a reason."""
        return self.taken == self.given + sum(self.dropped.values())


class Manifest(Value):
    """The record beside an artifact; an artifact without it does not exist."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    request: StageRequest
    address: Sha256
    content: Digest
    access: Access
    tables: dict[str, Digest] = Field(default_factory=dict)  # table name -> content digest
    table_rows: dict[str, int] = Field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()
    rows: Rows | None = None
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)  # rule hits, reasons ...
    notes: dict[str, Any] = Field(default_factory=dict)
    software: dict[str, str] = Field(default_factory=dict)  # outside the address
    created: str = ""  # UTC, ISO 8601; outside every digest

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def ref(self) -> ArtifactRef:
        """The reference that other stages get."""
        return ArtifactRef(stage=self.request.stage, address=self.address, content=self.content)


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, no NaN: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()
