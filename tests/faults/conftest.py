"""What tests of faults share: a backend and a network that fail when they are told to."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.proxy import Proxy
from tests.moto import Moto


class FaultyBackend:
    """A backend whose n-th call fails."""

    def __init__(self, backend: Any, nth: int, code: int) -> None:
        self._backend, self._left, self._code = backend, nth, code

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._backend, verb)
        if not callable(real):
            return real

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


@pytest.fixture
def proxy(moto: Moto) -> Iterator[Proxy]:
    """A proxy before the local S3 server, without rules yet."""
    with Proxy(moto.url) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        yield proxy
        proxy.rule = lambda seen: None
        gc.collect()  # stores that errors kept give up what they hold while it still answers
        proxy.shutdown()
