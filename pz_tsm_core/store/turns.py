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
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock

from pz_tsm_core.store.backend import Turn, Unguarded
from pz_tsm_core.store.beat import Beat
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.owners import LOCK, MAY_NOT_WRITE, claim, is_abandoned, store_lock

_FOLDER = ".turns"
_TOUCHES = 3  # in the time after which nobody believes in it any more
#: Without locks nobody can be kept out, and who may not write is told when it publishes.
_OPEN_TO_ALL = MAY_NOT_WRITE | {errno.ENOLCK}


class PosixTurn:
    """A `Turn` that stands as a file, touched by a thread of its own.

    Parameters
    ----------
    root : folder of the store
    path, file : what was claimed
    seconds : for which it counts untouched
    """

    def __init__(self, root: Path, path: Path, file: io.FileIO, seconds: float) -> None:
        self._root, self._path, self._file = root, path, file
        self._mutex = Lock()
        self._beat = Beat(seconds / _TOUCHES, self._touch)

    def give_back(self) -> None:
        """Remove the file, unless another has taken its place; what resists ends with the lock."""
        self._beat.end()
        point("turn.before_end")
        with suppress(OSError), store_lock(self._root, fcntl.LOCK_SH):
            if os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
                self._path.unlink()
        point("turn.after_end")
        with self._mutex:
            self._file.close()

    def _touch(self) -> bool:
        """Touch what was claimed: the file itself, and not another that has its name by now."""
        with self._mutex:
            if self._file.closed:  # its number may be that of another file
                return False
            os.utime(self._file.fileno())
            return True


def take_turn(root: Path, address: str, seconds: float) -> Turn | None:
    """Take the turn at an address, or give None when somebody else has it.

    Parameters
    ----------
    seconds : after which a turn that nobody has touched may be taken
    """
    path = root / _FOLDER / address
    point("turn.before")
    try:
        file = _begun(root, path) or _taken_over(root, path, seconds)
    except OSError as error:
        if error.errno not in _OPEN_TO_ALL:
            raise
        return Unguarded()
    point("turn.after")
    return PosixTurn(root, path, file, seconds) if file else None


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
    folder = root / _FOLDER
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
