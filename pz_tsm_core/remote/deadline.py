"""The time by which everything must be done."""

from __future__ import annotations

import time

from pz_tsm_core.errors import Code, TransientError
from pz_tsm_core.remote.errors import passing


class Deadline:
    """A moment after which nobody waits any longer; it begins to run when it is made.

    Parameters
    ----------
    seconds : from now
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, 0 when there are none."""
        return max(0.0, self._end - time.monotonic())

    def check(self, where: str) -> None:
        """Do nothing while there is time.

        Raises
        ------
        TransientError
            `service.timeout` when there is none.
        """
        if not self.left():
            raise self.passed(where)

    def passed(self, where: str, found: str = "no end in time") -> TransientError:
        """Return the error of what cannot be done by then, to be raised by the caller."""
        return passing(Code.SERVICE_TIMEOUT, where, found=found,
                       expected=f"an end within {self.seconds:g} s in all",
                       remedy="try later, or allow more time")
