"""The order of the work read without doing any of it: what the store has, what it lacks, and why.

Below a stage that is missing nothing can be known: what a stage asks for follows from the content
of its inputs, and an input made anew may well turn out equal to the old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from flows.journal import Journal, changes
from flows.origins import Unfetched
from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.store import Store
from tasks.stage import StageTask

#: More differences than these are told by their number.
TOLD = 3


@dataclass(frozen=True)
class Step:
    """What a run would find of one stage."""

    label: str
    state: Literal["cached", "missing", "depends"]
    why: str = ""
    rows: int | None = None


@dataclass(frozen=True)
class Unmade:
    """Stands in a plan for the artifact of a stage that is not there."""

    label: str


class Planner:
    """The `do` of a plan: looks up every stage and notes a step for it."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self.steps: list[Step] = []
        self._store, self._earlier = store, journal.requests()

    def __call__(self, stage: StageTask[...], /, **parameters: Any) -> ArtifactRef | Unmade:
        """Look a stage up; give its artifact, or what stands for one not made."""
        label = stage.label(**parameters)
        if waiting := list(self._unmade(parameters.values())):
            return self._lacks(Step(label, "depends", "depends on " + _several(waiting)))
        request = stage.request(**parameters)
        manifest = self._store.find(request.address, request.stage)
        if manifest is None:
            return self._lacks(Step(label, "missing", self._why(label, request)))
        rows = manifest.rows.given if manifest.rows else None
        self.steps.append(Step(label, "cached", rows=rows))
        return manifest.ref

    def _unmade(self, values: Iterable[Any]) -> Iterator[str]:
        """Labels of what is not there, wherever it stands among the parameters."""
        for value in values:
            if isinstance(value, Unfetched):  # handed to one stage, and so noted once
                yield self._lacks(Step(value.label, "missing", value.why)).label
            elif isinstance(value, Unmade):
                yield value.label
            elif isinstance(value, list | tuple):
                yield from self._unmade(value)
            elif isinstance(value, dict):
                yield from self._unmade(value.values())

    def _lacks(self, step: Step) -> Unmade:
        self.steps.append(step)
        return Unmade(step.label)

    def _why(self, label: str, request: StageRequest) -> str:
        earlier = self._earlier.get(label)
        if earlier is None:
            return "never made"
        if earlier == request:
            return "was made, but its artifact is damaged or gone"
        return _several(changes(earlier, request))


def _several(things: list[str]) -> str:
    more = len(things) - TOLD
    return ", ".join(things[:TOLD]) + (f" and {more} more" if more > 0 else "")
