"""Which artifacts running processes use, so that nobody collects them.

A hold is a file below `.holds` that names addresses, under a lock that dies with its process. An
address is written there before the store looks for it or publishes it, under the shared lock of
the store; whoever collects has that lock alone. So a process either is seen, or finds that the
artifact is gone and makes it again.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import uuid
import weakref
from contextlib import suppress
from pathlib import Path
from threading import Lock

from pz_tsm_core.store.faults import point
from pz_tsm_core.store.owners import (
    MAY_NOT_WRITE,
    claim,
    is_abandoned,
    store_lock,
    write_all,
)

_FOLDER = ".holds"
_ADDRESS = re.compile(rb"^[0-9a-f]{64}$", re.MULTILINE)


class Hold:
    """The addresses that one open store uses; it ends with this object or its process.

    Parameters
    ----------
    root : folder of the store
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mutex = Lock()
        self._file: io.FileIO | None = None
        self._pid = 0
        self._wanted: set[str] = set()
        self._written: set[str] = set()  # to the file that stands now

    def add(self, address: str) -> None:
        """Hold one more address; where this process may not write to the store, do nothing.

        Who may not write can neither publish nor hold: what it reads may be collected meanwhile,
        and is told as missing then.
        """
        with self._mutex:
            if address in self._written and self._stands():
                return
            self._wanted.add(address)
            try:
                self._write()
            except OSError as error:
                if error.errno not in MAY_NOT_WRITE:
                    raise

    def _write(self) -> None:
        point("hold.before")
        with store_lock(self._root, fcntl.LOCK_SH):
            file = self._standing()
            for each in self._wanted - self._written:
                # A line that a full disk cut short is none; the next begins with its own break.
                write_all(file, b"\n" + each.encode())
                self._written.add(each)
        point("hold.after")

    def _stands(self) -> bool:
        """Whether the file is ours, not that of a parent process, and still in its folder."""
        return (self._file is not None and self._pid == os.getpid()
                and os.fstat(self._file.fileno()).st_nlink > 0)

    def _standing(self) -> io.FileIO:
        """The file of this hold, begun if there is none; to be called under the lock."""
        if self._file is None or not self._stands():
            path = self._root / _FOLDER / uuid.uuid4().hex
            path.parent.mkdir(exist_ok=True)
            self._file, self._pid, self._written = claim(path), os.getpid(), set()
            weakref.finalize(self, _end, self._file, path, self._pid)
        return self._file


def _end(file: io.FileIO, path: Path, pid: int) -> None:
    """Give up a hold; a child that inherited it leaves the file to its parent."""
    if pid == os.getpid():
        with suppress(OSError):
            path.unlink()
    file.close()


def held(root: Path) -> frozenset[str]:
    """Addresses that running processes hold; to be asked alone in the store."""
    addresses: set[str] = set()
    for path in _files(root):
        with suppress(FileNotFoundError):  # its process has just ended
            if not is_abandoned(path, path):
                addresses.update(each.decode() for each in _ADDRESS.findall(path.read_bytes()))
    return frozenset(addresses)


def sweep_holds(root: Path) -> None:
    """Remove the holds of dead processes; to be called alone in the store."""
    for path in _files(root):
        with suppress(OSError):
            if is_abandoned(path, path):
                path.unlink()


def _files(root: Path) -> list[Path]:
    folder = root / _FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []
