"""Who works in a store and who is gone: claims under locks that die with their process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: What another machine or boot claimed is left alone for this long after its last change (a week).
FOREIGN_SECONDS = 7 * 24 * 3600

#: A claim that says nothing of its owner was left within an instant of its making or removal,
#: and keeps nothing.
UNCLAIMED_SECONDS = 3600

#: What a file system answers who may only read.
MAY_NOT_WRITE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

#: The lock file of a store, below its root.
LOCK = ".lock"

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@contextlib.contextmanager
def store_lock(root: Path, mode: int) -> Iterator[None]:
    """Hold the lock file of a store, shared (`fcntl.LOCK_SH`) or alone (`LOCK_EX`).

    Where the file system has no locks the shared one is granted all the same: nobody can get the
    other there, so that nothing is swept, moved or collected.
    """
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(handle, mode)
        except OSError:
            if mode != fcntl.LOCK_SH:
                raise
        yield
    finally:
        os.close(handle)


def claim(path: Path) -> io.FileIO:
    """Make a file that says who works here, under a lock that ends with the process or the file.

    To be called under the shared lock of the store, so that nobody sweeps it before its lock.
    """
    file = io.FileIO(path, "xb")
    try:
        write_all(file, json.dumps({"pid": os.getpid(), "boot_id": _boot_id()}).encode())
    except BaseException:
        file.close()
        path.unlink()
        raise
    with contextlib.suppress(OSError):  # without locks nobody sweeps either
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def write_all(file: io.FileIO, content: bytes) -> None:
    """Write some bytes or raise: what a full disk takes of them is no record."""
    if file.write(content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)


def is_abandoned(owner: Path, kept: Path) -> bool:
    """Whether the process that made a claim is surely gone; to be asked alone in the store.

    A lock that can be had proves it only for this kernel: some shared file systems keep locks to
    one machine. Whatever comes from elsewhere must also have been untouched for a week.

    Parameters
    ----------
    owner : the file that `claim` made
    kept : file or folder whose last change counts, with all below it
    """
    if not owner.exists() or owner.stat().st_size == 0:
        return _untouched_seconds(kept) > UNCLAIMED_SECONDS
    with owner.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        boot_id = _boot_id()
        if boot_id and boot_id.encode() in handle.readline():
            return True
    return _untouched_seconds(kept) > FOREIGN_SECONDS


def _boot_id() -> str:
    """Name of this boot of this kernel; empty where the kernel has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _untouched_seconds(kept: Path) -> float:
    below = [Path(parent, name) for parent, folders, names in os.walk(kept)
             for name in (*folders, *names)]
    return time.time() - max(path.lstat().st_mtime for path in (kept, *below))
