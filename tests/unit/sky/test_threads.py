"""Threads that may be left behind."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from pz_tsm_core.sky.threads import Threads


def test_results_and_errors_come_back_to_whoever_asked() -> None:
    with Threads(3) as threads:
        futures = [threads.submit(divmod, number, base=2) if number == 5
                   else threads.submit(divmod, number, 2) for number in range(8)]
    assert [futures[number].result() for number in (0, 3, 7)] == [(0, 0), (1, 1), (3, 1)]
    with pytest.raises(TypeError):
        futures[5].result()


def test_so_many_work_at_a_time() -> None:
    together = threading.Barrier(3, timeout=30)
    with Threads(3) as threads:
        places = {future.result() for future in [threads.submit(together.wait) for _ in range(3)]}
    assert places == {0, 1, 2}


def test_who_does_not_wait_leaves_what_hangs_and_drops_what_is_not_begun() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> bool:
        begun.set()
        return go_on.wait(30)

    threads = Threads(1)
    hung, never = threads.submit(hang), threads.submit(int)
    assert begun.wait(30)
    threads.shutdown(wait=False)
    assert never.cancelled()
    assert not hung.done()
    go_on.set()
    wait([hung], timeout=30)
    assert hung.result()
