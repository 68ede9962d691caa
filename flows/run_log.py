"""Warnings of the library and of Dask, also of its workers, in the log of a run of Prefect's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pz_tsm_core.errors import printable
from pz_tsm_core.sky.cluster import forwarded

#: Whose warnings belong there: of Dask those of memory that runs out, and of peers that are lost.
LOGGERS = ("pz_tsm_core", "distributed")

#: What Prefect gives a flow to write to.
Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


@contextmanager
def warnings_heard(log: Log) -> Iterator[None]:
    """Let warnings stand in the log of a run as long as it lasts."""
    handler, token = _Echo(log), forwarded.set(LOGGERS)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        forwarded.reset(token)
        for logger in loggers:
            logger.removeHandler(handler)


class _Echo(logging.Handler):
    """Says again in the log of a run what another logger is told."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, and where it was said."""
        worker = getattr(record, "worker", "")
        place = f"{record.name} on {worker}" if worker else record.name
        self._log.log(record.levelno, "%s: %s", place, printable(record.getMessage()))
