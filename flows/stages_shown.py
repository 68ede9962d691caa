"""Stages of a run as bars and words: what each was last heard to do."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from uuid import UUID

from flows.artifacts import Shown
from tasks.stage import Moment, StageEvent

_SETTLED = (Moment.CACHED, Moment.DONE)
_UNFINISHED = (Moment.RETRYING, Moment.FAILED)
#: While these last, time goes by that no event has told yet.
_GOING_ON = (Moment.RUNNING, Moment.WAITING)


@dataclass(frozen=True)
class Stage:
    """A stage as it was last heard of.

    Parameters
    ----------
    began : by the monotonic clock
    before : the longest that it ran or waited until then
    """

    event: StageEvent
    began: float
    task_run: UUID | None
    before: float = 0.0

    @property
    def seconds(self) -> float:
        """The longest that it has run or waited, or did: what was once shown is not forgotten."""
        going_on = self.event.moment in _GOING_ON
        now = time.monotonic() - self.began if going_on else self.event.seconds
        return max(now, self.before)

    def shown(self) -> Shown:
        """Its bar."""
        event, progress = self.event, self.event.progress
        percent = 100.0 if event.moment in _SETTLED else 0.0
        if progress and progress.fraction is not None:
            percent = float(int(100 * progress.fraction))
        return Shown(f"stage-{key_of(event.label)}", "progress", percent, words(event),
                     event.moment.value, self.task_run)

    def after(self, event: StageEvent) -> Stage:
        """The stage when something more was heard of it."""
        again = event.moment is self.event.moment
        # What ends unfinished keeps how far it was.
        kept = self.event.progress if event.moment in _UNFINISHED else None
        return Stage(replace(event, progress=event.progress or kept),
                     self.began if again else time.monotonic(), self.task_run, self.seconds)


def key_of(label: str) -> str:
    """The key of an artifact of Prefect's for something of that name.

    >>> key_of("retrieve desi_dr1 (2)")
    'retrieve-desi-dr1-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "stage"


def words(event: StageEvent) -> str:
    """An event as people read it: `running, 3 of 8 partitions, about 40 s left`."""
    told = [event.moment.value]
    if event.moment is Moment.WAITING:
        told.extend(event.remarks)  # for what
    if event.progress:
        told.append(str(event.progress))
        left = event.progress.left_seconds
        if left is not None and event.moment is Moment.RUNNING:
            told.append(f"about {_span(left)} left")
    if event.rows is not None:
        told.append(f"{event.rows:,} rows")
    if event.seconds and event.moment is not Moment.RUNNING:
        told.append(f"{event.seconds:.1f} s")
    return ", ".join(told)


def _span(seconds: float) -> str:
    """A time in the unit in which people wait.

    >>> _span(41.7), _span(600), _span(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
