"""Waiting until an artifact stands, or it is this process's turn to make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from tenacity import Retrying, retry_if_result, wait_exponential

from pz_tsm_core.store.backend import MANIFEST, Backend, Turn

#: Between two looks: short for what takes an instant, and seldom for what takes hours.
_PAUSES = wait_exponential(multiplier=0.02, exp_base=1.5, max=1)


@contextmanager
def turn_at(backend: Backend, key: str, waits: Callable[[], None]) -> Iterator[bool]:
    """Wait for the turn to make what will stand at a key, and keep it; True when it is ours.

    False when the artifact stands instead. Nothing has been looked for when the turn is ours: the
    one before may have published.

    Parameters
    ----------
    waits : is called before the first pause
    """
    seen = _look(backend, key)
    if seen is None:
        waits()
        seen = Retrying(wait=_PAUSES, retry=retry_if_result(lambda seen: seen is None))(
            _look, backend, key)
    try:
        yield seen != "stands"
    finally:
        if seen and seen != "stands":
            seen.give_back()


def _look(backend: Backend, key: str) -> Turn | Literal["stands"] | None:
    turn = backend.turn(key.rpartition("/")[2])
    return turn or ("stands" if _stands(backend, key) else None)


def _stands(backend: Backend, key: str) -> bool:
    try:
        backend.read(f"{key}/{MANIFEST}")
    except FileNotFoundError:
        return False
    return True
