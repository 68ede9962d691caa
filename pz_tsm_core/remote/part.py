"""What has come of a file so far, kept so that this or a later process goes on with it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from pz_tsm_core.remote.validators import Edition


class Part:
    """The first bytes of a file, beside its place, and a note of which edition of it they are.

    The note stays when the file is whole: so whoever comes for the same edition finds it.

    Parameters
    ----------
    target : where the file is to be
    url : from where; what came from elsewhere is no part of it
    """

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".from.json")
        self._target = target
        # Addresses may hold what is not to stand on disk (signatures).
        self._origin = hashlib.sha256(url.encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def edition(self) -> Edition | None:
        """Of which the bytes are; None when there are none, or nobody knows."""
        return self._noted() if self.size else None

    @property
    def whole(self) -> Edition | None:
        """Of which the file at its place is; None when there is none, or nobody knows."""
        return self._noted() if self._target.exists() and not self.path.exists() else None

    def begin(self, edition: Edition) -> None:
        """Forget what there is, for an edition of which nothing has come yet."""
        self.drop()
        self.path.touch()
        note = {"origin": self._origin, **asdict(edition)}
        self._note.write_text(json.dumps(note), "utf-8")

    @contextmanager
    def growing(self, start: int) -> Iterator[BinaryIO]:
        """The file, to be written to from this byte on; what comes after it is forgotten."""
        with self.path.open("r+b") as file:
            file.truncate(start)
            file.seek(start)
            yield file

    def drop(self) -> None:
        """Forget what there is."""
        self._note.unlink(missing_ok=True)  # first: bytes without a note are never gone on with
        self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Move it to its place, where it survives a loss of power."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self._target)
        folder = os.open(self._target.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _noted(self) -> Edition | None:
        try:
            note = json.loads(self._note.read_text("utf-8"))
            return Edition(**note) if note.pop("origin") == self._origin else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
