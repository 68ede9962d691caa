"""What tests of faults share: a backend that fails when it is told to."""

from __future__ import annotations

import os
from typing import Any

import pytest


class FaultyBackend:
    """A backend whose n-th call fails."""

    def __init__(self, backend: Any, nth: int, code: int) -> None:
        self._backend, self._left, self._code = backend, nth, code

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._backend, verb)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise OSError(self._code, os.strerror(self._code))
            return real(*args, **kwargs)

        return call

    @property
    def spared(self) -> bool:
        """Whether it has not failed yet."""
        return self._left > 0


@pytest.fixture
def faulty() -> type[FaultyBackend]:
    """Makes a backend whose n-th call fails with an error code."""
    return FaultyBackend
