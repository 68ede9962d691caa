"""A file for what lies on disk for a moment only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

#: Where Linux shows the open files of a process, also to programs that want a path.
OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def scratch() -> Iterator[tuple[BinaryIO, Path]]:
    """An empty file in the system's temporary folder, and a path under which it can be opened.

    On Linux it has no name: it is gone when it is closed, also after kill -9.
    """
    if OPEN_FILES.is_dir():
        with tempfile.TemporaryFile(prefix="pz-tsm-") as file:
            yield cast("BinaryIO", file), path_of(file.fileno())
    else:
        with tempfile.NamedTemporaryFile(prefix="pz-tsm-") as named:
            yield cast("BinaryIO", named), Path(named.name)


def path_of(descriptor: int) -> Path:
    """The path under which this process, and one that inherits it, opens an open file anew."""
    return OPEN_FILES / str(descriptor)
