"""The record of a run: what was asked, what every stage did, and the files that came of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from pz_tsm_core.model.artifact import FileEntry, Manifest, Value
from pz_tsm_core.model.citation import Cited


class StageRecord(Value):
    """One stage of a run: its name for people and the manifest of its artifact."""

    label: str
    manifest: Manifest


class RunRecord(Value):
    """Beside the files of a run, as `manifest.json`: from it alone the run can be repeated."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    recipe: dict[str, Any]
    stages: tuple[StageRecord, ...]
    files: tuple[FileEntry, ...]
    citations: tuple[Cited, ...] = ()  # with the rows or values that survive of each
    software: dict[str, str]
    created: str  # UTC, ISO 8601

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
