"""Which files were found sound, for later processes, where reading them costs more than a disk.

A line of JSON for each. The file lies with its user and is theirs to lose: whatever it does not
say is read again. A line that cannot be read says nothing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from pz_tsm_core.store.backend import Stamp

#: A file of more bytes is begun anew.
_MAX_BYTES = 32 << 20


class Remembered:
    """Stamps of files by key, as they were when their bytes were found sound.

    Parameters
    ----------
    path : where they are kept
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _stamps(self) -> dict[str, Stamp]:
        return _lines(self._path)

    def get(self, key: str, /) -> Stamp | None:
        """Stamp of a file that was found sound."""
        return self._stamps.get(key)

    def __setitem__(self, key: str, stamp: Stamp) -> None:
        self._stamps[key] = stamp
        line = json.dumps([key, stamp.size, stamp.token]) + "\n"
        with suppress(OSError):  # a full disk costs time later, and nothing now
            self._path.parent.mkdir(parents=True, exist_ok=True)
            full = self._path.exists() and self._path.stat().st_size > _MAX_BYTES
            with self._path.open("w" if full else "a", encoding="utf-8") as file:
                file.write(line)


def _lines(path: Path) -> dict[str, Stamp]:
    found = {}
    with suppress(OSError, UnicodeDecodeError):
        for line in path.read_text("utf-8").splitlines():
            with suppress(ValueError, TypeError):
                key, size, token = json.loads(line)
                found[str(key)] = Stamp(int(size), str(token))
    return found
