"""Pieces of work done side by side, their results taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Piece = TypeVar("Piece")
Done = TypeVar("Done")


def in_order(
    pool: Executor, work: Callable[[Piece], Done], pieces: Iterable[Piece], *, ahead: int,
    patience_seconds: float | None = None,
) -> Iterator[Done]:
    """Results in the order of the pieces, no more than `ahead` pieces waiting or done early.

    Raises
    ------
    TimeoutError
        When the next result does not come within the patience.
    """
    under_way: deque[Future[Done]] = deque()
    try:
        for piece in pieces:
            under_way.append(pool.submit(work, piece))
            if len(under_way) > ahead:
                yield under_way.popleft().result(patience_seconds)
        while under_way:
            yield under_way.popleft().result(patience_seconds)
    finally:
        for future in under_way:
            future.cancel()
