"""What each stage of a recipe was last asked for, so that a plan can say what has changed.

The store knows results by what they depend on; it cannot know which of them was the earlier
answer to the same question. The journal can, and a plan alone reads it: losing it costs a reason,
never a result.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import ValidationError

from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import Store
from tasks.stage import Moment, StageEvent

#: Values longer than this together, digests among them, are not spelt out.
BRIEF = 60


class Journal:
    """The requests of one recipe by label, in `<store>/journal/<recipe>.json`."""

    def __init__(self, store: Store, recipe: str) -> None:
        self._path = store.beside("journal") / f"{recipe}.json"
        self._principal = store.principal
        self._lock = Lock()

    def requests(self) -> dict[str, StageRequest]:
        """What was asked for, by label, as far as the principal may know; else empty."""
        return {label: request for label, request in self._all().items()
                if request.access.admits(self._principal)}

    def _all(self) -> dict[str, StageRequest]:
        """The whole journal; empty when it is missing or unreadable."""
        try:
            content = json.loads(self._path.read_bytes())
            return {label: StageRequest.model_validate(entry) for label, entry in content.items()}
        except (OSError, ValueError, AttributeError, ValidationError):
            return {}

    def hear(self, event: StageEvent) -> None:
        """Note the request of a stage that is done."""
        if event.moment in (Moment.CACHED, Moment.DONE):
            with self._lock:
                known = self._all()
                if known.get(event.label) != event.request:
                    self._write({**known, event.label: event.request})

    def _write(self, requests: dict[str, StageRequest]) -> None:
        content = {label: request.model_dump(mode="json") for label, request in requests.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as draft:
            json.dump(content, draft)
        Path(draft.name).replace(self._path)


def changes(earlier: StageRequest, now: StageRequest) -> list[str]:
    """Say which parts of a request differ, dotted: `policy.fractions.train: 0.7 -> 0.8`."""
    return _differences(earlier.model_dump(mode="json"), now.model_dump(mode="json"), "")


def _differences(before: Any, after: Any, place: str) -> list[str]:
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            line
            for key in dict.fromkeys([*before, *after])
            for line in _differences(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))
        ]
    was, now = ("nothing" if value is None else json.dumps(value) for value in (before, after))
    return [f"{place}: {was} -> {now}" if len(was + now) <= BRIEF else f"{place} changed"]
