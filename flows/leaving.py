"""How a process of a run ends at once: by a signal, whatever its threads are doing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: An interrupted run gives Prefect this long to tell its server; then it ends in any case.
GRACE_SECONDS = 2.0

#: What a person reads who has pressed Ctrl-C.
GOES_ON_THERE = "interrupted; what is finished stays: the same command goes on there"


@contextmanager
def leave_on_interrupt(
    farewell: Callable[[], None], words: str = GOES_ON_THERE
) -> Iterator[None]:
    """Let Ctrl-C or SIGTERM end the process within seconds, whatever its threads are doing.

    A thread that computes cannot be interrupted, and Python waits for all of them at its end. The
    store is whole at any moment, and private server and Dask workers die with their parent; so
    there is nothing to wait for but Prefect's word to its server.
    """
    # Prefect puts its own handler in place of any other; signals reach this pipe all the same.
    arriving, sending = os.pipe()
    os.set_blocking(sending, False)
    previous = signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    threading.Thread(target=_leave, args=(arriving, farewell, words), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        os._exit(128 + signal.SIGINT)
    finally:
        signal.set_wakeup_fd(previous)
        os.close(sending)


def _leave(arriving: int, farewell: Callable[[], None], words: str) -> None:
    """Wait for a signal that ends the process, and see to it that it does."""
    while number := os.read(arriving, 1):
        if number[0] in (signal.SIGINT, signal.SIGTERM):
            farewell()
            os.write(2, f"{words}\n".encode())
            time.sleep(GRACE_SECONDS)
            os._exit(128 + number[0])
    os.close(arriving)
