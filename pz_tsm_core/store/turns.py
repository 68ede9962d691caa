"""Whose turn it is to make an artifact, on a file system: a file for each, under a lock.

The lock dies with its process, so that on one machine the death of a maker is known at once. For
machines that do not see each other's locks, and for a process that is stopped, the file is touched
as long as it is made: who finds it untouched for longer takes its place. Both times are given by
the file system, which nobody's clock can deceive.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import weakref
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pz_tsm_core.store.backend import Turn, Unguarded
from pz_tsm_core.store.beat import Beat
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.keys import TURNS
from pz_tsm_core.store.owners import LOCK, MAY_NOT_WRITE, claim, is_abandoned, store_lock

_TOUCHES = 3  # in the time after which nobody believes in it any more
#: Without locks nobody can be kept out, and who may not write is told when it publishes.
_OPEN_TO_ALL = MAY_NOT_WRITE | {errno.ENOLCK}


class Turns:
    """The turns that one open store has taken, touched by one thread as long as any is kept.

    Parameters
    ----------
    root : folder of the store
    seconds : after which a turn that nobody has touched may be taken
    """

    def __init__(self, root: Path, seconds: float) -> None:
        self._root, self._seconds = root, seconds
        self._mutex = Lock()
        self._pid = 0
        self._files: set[io.FileIO] = set()

    def take(self, address: str) -> Turn | None:
        """Take the turn at an address, or give None when somebody else has it."""
        path = self._root / TURNS / address
        point("turn.before")
        try:
            file = _begun(self._root, path) or _taken_over(self._root, path, self._seconds)
        except OSError as error:
            if error.errno not in _OPEN_TO_ALL:
                raise
            return Unguarded()
        if file is None:
            return None
        point("turn.after")
        self._keep(file)
        return PosixTurn(self, path, file)

    def end(self, path: Path, file: io.FileIO) -> None:
        """Remove a file, unless another has taken its place; what resists ends with the lock."""
        point("turn.before_end")
        with suppress(OSError), store_lock(self._root, fcntl.LOCK_SH):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                path.unlink()
        point("turn.after_end")
        with self._mutex:  # its number may be that of another file at once
            self._files.discard(file)
            file.close()

    def touch(self) -> bool:
        """Touch what was claimed: the files themselves, and none that has their name by now."""
        with self._mutex:
            for file in self._files:
                with suppress(OSError):
                    os.utime(file.fileno())
        return True

    def _keep(self, file: io.FileIO) -> None:
        with self._mutex:
            if self._pid != os.getpid():  # what a parent process took is the parent's to touch
                self._pid, self._files = os.getpid(), set()
                self._begin_to_touch()
            self._files.add(file)

    def _begin_to_touch(self) -> None:
        this = weakref.ref(self)
        beat = Beat(self._seconds / _TOUCHES,
                    lambda: (turns := this()) is not None and turns.touch())
        weakref.finalize(self, beat.end)


@dataclass(frozen=True)
class PosixTurn:
    """A `Turn` that stands as a file."""

    turns: Turns
    path: Path
    file: io.FileIO

    def give_back(self) -> None:
        """Remove the file."""
        self.turns.end(self.path, self.file)


def _begun(root: Path, path: Path) -> io.FileIO | None:
    """Claim a turn that nobody has."""
    with suppress(FileExistsError), store_lock(root, fcntl.LOCK_SH):
        path.parent.mkdir(exist_ok=True)
        return claim(path)
    return None


def _taken_over(root: Path, path: Path, seconds: float) -> io.FileIO | None:
    """Claim a turn whose owner is gone."""
    with ExitStack() as stack:
        try:
            stack.enter_context(store_lock(root, fcntl.LOCK_EX))
        except OSError as error:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from error
        if not _is_over(root, path, seconds):
            return None
        path.unlink(missing_ok=True)
        return claim(path)


def sweep_turns(root: Path, seconds: float) -> None:
    """Remove the turns of dead processes; to be called alone in the store."""
    folder = root / TURNS
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        with suppress(OSError):
            if _is_over(root, path, seconds):
                path.unlink()


def _is_over(root: Path, path: Path, seconds: float) -> bool:
    """Whether nobody has a turn any more; to be asked alone in the store."""
    try:
        return is_abandoned(path, path) or _untouched_seconds(root, path) > seconds
    except FileNotFoundError:
        return True


def _untouched_seconds(root: Path, path: Path) -> float:
    """Seconds since a file was touched, by the clock of the file system.

    A file from the future counts as one from the past: then that clock was set back.
    """
    os.utime(root / LOCK)
    with path.open("rb") as handle:  # opened, a shared file system tells no time that it remembers
        touched = os.fstat(handle.fileno()).st_mtime
    return abs((root / LOCK).stat().st_mtime - touched)
