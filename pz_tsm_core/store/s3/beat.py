"""What must be done again and again as long as somebody lives."""

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
    """

    def __init__(self, every_seconds: float, call: Callable[[], bool]) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_beat, args=(self._stop, every_seconds, call), daemon=True, name="pz-tsm beat")
        self._thread.start()

    def stop(self) -> None:
        """Call it no more; what is being called may still go on."""
        self._stop.set()


def _beat(stop: threading.Event, every_seconds: float, call: Callable[[], bool]) -> None:
    while not stop.wait(every_seconds):
        try:
            if not call():
                return
        except OSError as error:  # the next beat tries again
            _LOG.info("a lease was not renewed: %s", error)
