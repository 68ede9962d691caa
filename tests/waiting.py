"""What tests wait for: that something is so, that somebody answers at a port of this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

HOST = "127.0.0.1"

Found = TypeVar("Found")


def wait_for(
    what: str, condition: Callable[[], Found | None], seconds: float = 90, every: float = 0.1
) -> Found:
    """What a condition gives once it gives anything; fails when it takes too long."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not so after {seconds:g} s"
        time.sleep(every)
    return found


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def answers(port: int) -> bool:
    """Whether somebody takes connections there."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
