"""What a person sees while stages run: bars on a terminal, one plain line a stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from pz_tsm_core.errors import printable
from tasks.stage import Moment, StageEvent

Write = Callable[[str], None]


class View(Protocol):
    """Shows events; they come from many threads."""

    def hear(self, event: StageEvent) -> None:
        """Show an event."""

    def close(self) -> None:
        """Leave the terminal as it was; more than once is as good as once."""


def view(write: Write) -> View:
    """Bars when a person watches, lines when a file or a program does."""
    return Bars() if sys.stdout.isatty() else Lines(write)


def told(rows: int | None, seconds: float = 0.0) -> str:
    """Rows and seconds, each if there is something to tell."""
    count = f"{rows:>12,} rows" if rows is not None else ""
    return count + (f"{seconds:8.1f} s" if seconds else "")


class Lines:
    """One line for every stage that is found, waited for, made, failed or tried again."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = Lock()
        self._told: set[tuple[str, Moment, str]] = set()

    def hear(self, event: StageEvent) -> None:
        """Write the line of an event; a cached stage is found twice and told once."""
        occasion = (event.label, event.moment, event.request.address)
        with self._lock:
            known = event.moment is Moment.CACHED and occasion in self._told
            if event.moment is not Moment.RUNNING and not known:
                self._told.add(occasion)
                line = f"{event.moment:<9}{event.label:<32}{told(event.rows, event.seconds)}"
                self._write(line.rstrip())
                for remark in event.remarks:
                    self._write(printable(f"{'':<9}{remark}"))

    def close(self) -> None:
        """Nothing is left to do."""


class Bars:
    """One bar for every stage that has begun; it fills where the stage tells how far it is."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.fields[moment]:<9}"),
            TextColumn("{task.description:<32}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}"),
        )
        self._lock = Lock()
        self._bars: dict[str, int] = {}
        self._progress.start()

    def hear(self, event: StageEvent) -> None:
        """Move the bar of the event's stage."""
        from rich.progress import TaskID

        with self._lock:
            if event.label not in self._bars:
                self._bars[event.label] = self._progress.add_task(
                    event.label, total=None, moment="", told=""
                )
            self._progress.update(TaskID(self._bars[event.label]), **_bar(event))
            for remark in event.remarks:  # they stay above all bars
                self._progress.console.print(printable(f"{event.label}: {remark}"),
                                             markup=False, highlight=False)

    def close(self) -> None:
        """Stop moving; the bars stay to be read."""
        self._progress.stop()


def _bar(event: StageEvent) -> dict[str, Any]:
    """How the bar of a stage stands after an event."""
    total, completed = None, 0
    if event.moment in (Moment.CACHED, Moment.DONE):
        total, completed = 1, 1
    elif event.progress:
        total, completed = event.progress.total, event.progress.done
    return {"total": total, "completed": completed, "moment": event.moment.value,
            "told": str(event.progress or told(event.rows))}
