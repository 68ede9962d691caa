"""What must be done again and again as long as somebody lives, and once more at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


def seconds() -> float:
    """Seconds that have passed, also those in which this machine slept."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Beat:
    """Calls something every few seconds, from a thread that ends with its process.

    Parameters
    ----------
    call : returns False when there is nothing more to do
    last : is called at the end, unless the process dies before
    """

    def __init__(
        self, every_seconds: float, call: Callable[[], bool], last: Callable[[], None] | None = None
    ) -> None:
        self._every_seconds, self._call, self._last = every_seconds, call, last
        self._stop, self._done = threading.Event(), threading.Event()
        threading.Thread(target=self._run, daemon=True, name="pz-tsm beat").start()

    def end(self, within_seconds: float = 0) -> None:
        """Let it end, and wait for that no longer than so many seconds."""
        self._stop.set()
        self._done.wait(within_seconds)

    def _run(self) -> None:
        while not self._stop.wait(self._every_seconds):
            if not _tried(self._call):
                break
        if self._last:
            _tried(self._last)
        self._done.set()


def _tried(call: Callable[[], bool | None]) -> bool:
    """Call; False when it says so. What fails is tried again with the next beat."""
    try:
        return call() is not False
    except OSError as error:
        _LOG.info("a request that nobody waits for failed: %s", error)
        return True
