"""The log of a run, in lines as the existing pipelines write them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pz_tsm_core.errors import printable

_LOGGER = logging.getLogger(__name__)

#: Folder of the log in that of a run, and its name there.
FOLDER, NAME = "process_info", "pipeline.log"


@dataclass(frozen=True)
class Log:
    """Where a run tells what it does; warnings are told to whoever watches as well.

    Parameters
    ----------
    pipeline : short name of the existing one, in every line
    file : to which lines are added; None for no file
    """

    pipeline: str
    file: Path | None = None

    def tell(self, phase: str, line: str) -> None:
        """Add a line."""
        self._add("INFO", phase, line)

    def warn(self, phase: str, line: str) -> None:
        """Add a warning."""
        _LOGGER.warning("%s", printable(line))
        self._add("WARNING", phase, line)

    def fail(self, phase: str, error: BaseException) -> None:
        """Add what ended the run."""
        for line in str(error).splitlines() or [type(error).__name__]:
            self._add("ERROR", phase, line)

    def _add(self, level: str, phase: str, line: str) -> None:
        if self.file is None:
            return
        now = datetime.now(UTC).astimezone().strftime("%Y-%m-%d-%H:%M:%S.%f")
        with self.file.open("a", encoding="utf-8") as log:
            log.write(f"{now} | {level} | {phase} | {self.pipeline} | {printable(line)}\n")
