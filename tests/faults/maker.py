"""A process that makes an artifact step by step, as it is told to on its standard input.

    python -m tests.faults.maker LOCATION TURN_SECONDS

It says `waits` and `makes` when it does, and the manifest at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from pz_tsm_core.model.artifact import Principal, StageRequest, canonical_json
from pz_tsm_core.store import Draft, Store
from pz_tsm_core.store.posix import PosixBackend

ROOT = Path(__file__).parents[2]
REQUEST = StageRequest(stage="combine", version=1)
TABLE = pa.table({"x": range(1000)})


def opened(location: Any, turn_seconds: float) -> Store:
    """A store in which a turn that nobody renews ends after so many seconds."""
    where = str(location)
    if where.startswith("s3://"):
        from pz_tsm_core.store.s3 import Patience, Place, S3Backend

        backend: Any = S3Backend(Place.at(where), Patience(turn_seconds=turn_seconds))
    else:
        backend = PosixBackend(Path(where), turn_seconds)
    return Store(where, Principal(), backend)


def fill(draft: Draft) -> None:
    draft.write_table("t", TABLE)


class Maker:
    """Such a process, seen from its parent."""

    def __init__(self, location: Any, turn_seconds: float) -> None:
        self.process = subprocess.Popen(
            # As from a terminal, also where these tests themselves run in the background.
            ["env", "--default-signal=INT", sys.executable, "-m", __name__, str(location),
             str(turn_seconds)], text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def says(self) -> str:
        """The next line that it says."""
        return self.process.stdout.readline().strip()

    def go_on(self, word: str = "go") -> None:
        """Let it finish what it makes; `fail` makes it fail."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@contextmanager
def makers(location: Any, turn_seconds: float) -> Iterator[Callable[[], Maker]]:
    """Lend a way to start such processes, which end with the test."""
    started: list[Maker] = []

    def start() -> Maker:
        started.append(Maker(location, turn_seconds))
        return started[-1]

    try:
        yield start
    finally:
        for maker in started:
            maker.process.kill()
            maker.process.communicate()


def main(location: str, turn_seconds: str) -> None:
    def make(draft: Draft) -> None:
        print("makes", flush=True)  # noqa: T201
        if sys.stdin.readline().strip() == "fail":
            raise SystemExit("told to fail")
        fill(draft)

    manifest = opened(location, float(turn_seconds)).publish(
        REQUEST, make, lambda: print("waits", flush=True))  # noqa: T201
    print(canonical_json(manifest.model_dump(mode="json")).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
