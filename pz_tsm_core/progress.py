"""How far a piece of work has come, told to whoever listens.

Whoever works counts what it has done of a whole, in pieces of which each takes a while: partitions
of the sky, batches of rows. Where nobody listens, counting costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Progress:
    """How much is done of a whole.

    Parameters
    ----------
    total : None where nobody knows
    unit : what is counted, in the plural
    left_seconds : how long the rest would take at the same pace; None where that cannot be known
    """

    done: int
    total: int | None
    unit: str
    left_seconds: float | None = None

    def __str__(self) -> str:
        of = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.done:,}{of} {self.unit}"

    @property
    def fraction(self) -> float | None:
        """The part that is done, from 0 to 1; None where the whole is not known."""
        return min(self.done / self.total, 1.0) if self.total else None


Hear = Callable[[Progress], None]

_listener: ContextVar[Hear | None] = ContextVar("progress", default=None)


@contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Let somebody hear what is counted by work that begins inside the context."""
    token = _listener.set(hear)
    try:
        yield
    finally:
        _listener.reset(token)


def counted(
    things: Iterable[Thing], unit: str, total: int | None = None, *, before: int = 0,
    size: Callable[[Thing], int] = lambda _thing: 1,
) -> Iterator[Thing]:
    """Hand on things, and tell how many have come.

    Parameters
    ----------
    unit : what is counted, in the plural; nothing is told of things without a name
    total : of all things, with those before; None where nobody knows
    before : how many there were before these
    size : how many one thing counts for
    """
    hear = _listener.get()
    if hear is None or not unit:
        return iter(things)
    return _counted(things, Progress(before, total, unit), size, hear)


def _counted(
    things: Iterable[Thing], at_first: Progress, size: Callable[[Thing], int], hear: Hear
) -> Iterator[Thing]:
    began, done, total = time.monotonic(), at_first.done, at_first.total
    for thing in things:
        done += size(thing)
        left = None
        if total is not None and done > at_first.done:
            pace = (time.monotonic() - began) / (done - at_first.done)
            left = pace * max(total - done, 0)
        hear(Progress(done, total, at_first.unit, left))
        yield thing
