"""Places at which a test may kill, stop or count a process, before and after each durable step."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

KILL, PAUSE, NOTE = "PZ_TSM_KILL_AT", "PZ_TSM_PAUSE_AT", "PZ_TSM_NOTE_POINTS"

_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Do nothing, unless a variable names this point as `name` or `name:nth`.

    `PZ_TSM_KILL_AT=name`: the process dies here as by `kill -9` the first (or nth) time it passes.
    `PZ_TSM_PAUSE_AT=name=FILE`: it writes FILE and waits here until there is `FILE.go`. Where FILE
    is already, somebody has waited before, and it passes by; also where FILE can not be written.
    `PZ_TSM_NOTE_POINTS=FILE`: every point that is passed becomes a line of FILE.
    """
    kill, pause, note = (os.environ.get(variable) for variable in (KILL, PAUSE, NOTE))
    if not (kill or pause or note):
        return
    _passed[name] += 1
    if kill and _is_at(name, kill):
        os.kill(os.getpid(), signal.SIGKILL)
    if note:
        with Path(note).open("a", encoding="utf-8") as lines:
            lines.write(f"{name}\n")
    where, _, file = (pause or "").partition("=")
    if where and _is_at(name, where):
        _wait(Path(file))


def _is_at(name: str, target: str) -> bool:
    wanted, _, nth = target.partition(":")
    return name == wanted and (not nth or _passed[name] == int(nth))


def _wait(file: Path) -> None:
    with suppress(FileExistsError, FileNotFoundError):
        file.touch(exist_ok=False)
        while not Path(f"{file}.go").exists():
            time.sleep(0.05)
