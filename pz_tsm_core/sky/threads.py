"""Threads that may be left behind: one that hangs does not keep its process from ending."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

_Asked = ParamSpec("_Asked")
_Done = TypeVar("_Done")

#: Work, and where its result goes; None ends a thread.
_Order = tuple["Future[Any]", Callable[[], Any]] | None


class Threads(Executor):
    """So many threads, for which the interpreter does not wait at its end.

    It waits for those of `ThreadPoolExecutor` without limit, whatever they hang on.
    """

    def __init__(self, number: int) -> None:
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._threads = [Thread(target=_carry_out, args=(self._orders,), daemon=True)
                         for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def submit(
        self, fn: Callable[_Asked, _Done], /, *args: _Asked.args, **kwargs: _Asked.kwargs
    ) -> Future[_Done]:
        """Have a thread call a function."""
        future: Future[_Done] = Future()
        self._orders.put((future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the base
        """End the threads when they have done what was asked for.

        Who does not wait does not want what is not begun either, as with Dask's executor.
        """
        if cancel_futures or not wait:
            with suppress(Empty):
                while order := self._orders.get_nowait():
                    order[0].cancel()
        for _ in self._threads:
            self._orders.put(None)
        if wait:
            for thread in self._threads:
                thread.join()


def _carry_out(orders: SimpleQueue[_Order]) -> None:
    """Do what is asked for until that is nothing; the result of none is kept alive."""
    while order := orders.get():
        future, work = order
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever takes the result is told
                future.set_exception(error)
        del order, future, work
