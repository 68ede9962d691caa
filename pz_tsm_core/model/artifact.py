"""What a stage leaves behind, who may see it, and the record that proves it whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from pz_tsm_core.errors import Code, refuse

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,64}$")]
StageName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class Value(BaseModel):
    """Base of all domain values: frozen, checked when built, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Access(Value):
    """Who may read an artifact: everybody, holders of a right, or one owner."""

    kind: Literal["public", "rights", "private"] = "public"
    name: str = ""  # the right or the owner; empty for public

    @model_validator(mode="after")
    def _named_unless_public(self) -> Access:
        if (self.kind == "public") != (self.name == ""):
            raise ValueError("rights:NAME and private:OWNER need a name, public has none")
        return self

    def admits(self, principal: Principal) -> bool:
        """Whether the principal may read what carries this access."""
        if self.kind == "private":
            return principal.name == self.name
        return self.kind == "public" or self.name in principal.rights

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


PUBLIC = Access()


class Principal(Value):
    """Who opens the store: a name and the data rights held."""

    name: str = "local"
    rights: frozenset[str] = frozenset()


_STRICTNESS = ("public", "rights", "private")


def strictest(accesses: Iterable[Access]) -> Access:
    """Access of what is made from inputs of these accesses; public when there are none.

    Raises
    ------
    TsmError
        When two owners, or holders of two different rights, would have to be one.
    """
    known = set(accesses) or {PUBLIC}
    rank = max(_STRICTNESS.index(access.kind) for access in known)
    top = sorted(str(access) for access in known if access.kind == _STRICTNESS[rank])
    if len(top) > 1:
        raise refuse(
            Code.STORE_ACCESS, "inputs", found="inputs for " + " and ".join(top),
            expected="inputs that one person may see together",
            remedy="run once for each of them, or ask for inputs with wider access",
        )
    return next(access for access in known if str(access) == top[0])


class ArtifactRef(Value):
    """The small thing that travels between tasks in place of data."""

    stage: StageName
    address: Sha256  # what was asked for
    content: Digest  # what came out
    access: Access = PUBLIC  # who may read it: what is made from it is no more open


class StageRequest(Value):
    """Everything that a stage's result depends on, and nothing else.

    No time, host, path or run id stands here: equal requests have equal results.
    """

    stage: StageName
    version: int
    inputs: dict[str, list[Digest]] = Field(default_factory=dict)  # content digests
    data: dict[str, Digest] = Field(default_factory=dict)  # survey YAML, dust map, release ...
    policy: dict[str, Any] = Field(default_factory=dict)  # the recipe fields that the stage reads
    libraries: dict[str, str] = Field(default_factory=dict)
    access: Access = PUBLIC

    @field_validator("policy")
    @classmethod
    def _policy_is_plain(cls, policy: dict[str, Any]) -> dict[str, Any]:
        return {key: plain_json(value) for key, value in policy.items()}

    @property
    def address(self) -> str:
        """sha256 over the canonical JSON of the request, as 64 hexadecimal digits.

        The owner of private inputs is part of the request, so that a cache hit never shows
        one owner's data to another.
        """
        return sha256_of(self.model_dump(mode="json"))


class FileEntry(Value):
    """One file of an artifact."""

    path: str  # relative to the artifact, POSIX separators
    size: int
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError("a path that stays below its folder")
        return path


class Rows(Value):
    """The row balance of a stage: every row that came in is accounted for.

    Parameters
    ----------
    added : rows that a stage makes of others, as for several neighbours of one galaxy
    """

    taken: int = Field(ge=0)
    given: int = Field(ge=0)
    added: int = Field(default=0, ge=0)
    dropped: dict[str, int] = Field(default_factory=dict)  # by reason; no reason without rows

    @field_validator("dropped")
    @classmethod
    def _with_rows(cls, dropped: dict[str, int]) -> dict[str, int]:
        return {reason: count for reason, count in dropped.items() if count}

    @model_validator(mode="after")
    def _balanced(self) -> Rows:
        if self.taken + self.added != self.given + sum(self.dropped.values()):
            raise ValueError(f"{self.taken} rows in and {self.added} added, but {self.given} out "
                             f"and {self.dropped} dropped")
        return self


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
        return ArtifactRef(stage=self.request.stage, address=self.address, content=self.content,
                           access=self.access)


def plain_json(value: Any) -> Any:
    """The value as JSON will give it back, so that writing and reading change no address.

    Sets become sorted lists: their own order differs from process to process.

    Raises
    ------
    ValueError
        For what JSON cannot hold exactly: NaN, paths, objects, keys that are no text.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Mapping):
        return {_text_key(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain_json(item) for item in value), key=canonical_json)
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if value is None or isinstance(value, bool | int | str) or _is_finite(value):
        return value
    raise ValueError(f"{value!r} of type {type(value).__name__} has no exact JSON")


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _text_key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"key {key!r} is no text")  # noqa: TRY004 - pydantic collects ValueErrors
    return str(key)


def sha256_of(value: Any) -> str:
    """sha256 over the canonical JSON of a value, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, no NaN: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()
