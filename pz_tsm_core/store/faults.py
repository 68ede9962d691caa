"""Places at which a test may kill the process, before and after each durable step."""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "PZ_TSM_KILL_AT"

_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Do nothing, unless `PZ_TSM_KILL_AT` names this point as `name` or `name:nth`.

    Then the process dies here as by `kill -9` the first (or nth) time it passes.
    """
    target = os.environ.get(VARIABLE)
    if target is None:
        return
    _passed[name] += 1
    wanted, _, nth = target.partition(":")
    if name == wanted and _passed[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
