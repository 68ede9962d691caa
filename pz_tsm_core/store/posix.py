"""The store on a file system: one rename makes a folder visible, locks tell living from dead."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.store.backend import MANIFEST, Stamp
from pz_tsm_core.store.faults import point

#: Staging folders of another machine or boot are left alone for this long (a week).
FOREIGN_SECONDS = 7 * 24 * 3600

#: A folder that says nothing of its owner was left within an instant of its making or removal,
#: and holds no data.
UNCLAIMED_SECONDS = 3600

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_OWNER = "owner.json"


class PosixBackend:
    """A `Backend` on a local or shared file system with atomic rename.

    Parameters
    ----------
    root : folder of the store, made on the first publish
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._swept = False

    def names(self, key: str) -> list[str]:
        """Folders right below a key, sorted; a stray file there is nobody's."""
        try:
            with os.scandir(self._root / key) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def files(self, key: str) -> dict[str, Stamp]:
        """Every file below a key; a symlink counts as a file, so that nothing follows it."""
        return {path.relative_to(self._root / key).as_posix(): _stamp(path)
                for path in regular_files(self._root / key)}

    def read(self, key: str) -> bytes:
        """Bytes of a small file."""
        return (self._root / key).read_bytes()

    def open(self, key: str) -> pa.NativeFile:
        """Open a file for random access."""
        return pa.OSFile(str(self._root / key), "rb")

    def locate(self, key: str) -> Path:
        """Path of the key."""
        return self._root / key

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Lend a folder below `.staging`, under a lock that dies with this process."""
        self._sweep_once()
        folder = self._root / ".staging" / uuid.uuid4().hex
        point("stage.before")
        with contextlib.ExitStack() as stack:
            stack.callback(_remove, folder)
            with self._store_lock(fcntl.LOCK_SH):  # no sweeper sees the folder before its lock
                (folder / "artifact").mkdir(parents=True)
                stack.enter_context(_claim(folder / _OWNER))
            point("stage.after")
            yield folder / "artifact"

    def publish(self, staged: Path, key: str, manifest: bytes) -> bool:
        """Sync the data, then the manifest, then rename the folder into its place."""
        target = self._root / key
        point("publish.before_sync")
        for path in regular_files(staged):
            path.chmod(path.stat().st_mode & ~0o222)  # published bytes never change
            _sync(path)
        point("publish.before_manifest")
        _write_durably(staged / MANIFEST, manifest)
        point("publish.after_manifest")
        for folder in _folders(staged):
            _sync(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync_upwards(target.parent, self._root)
        point("publish.before_rename")
        try:
            staged.rename(target)
        except OSError:
            if target.is_dir():  # somebody was faster: rename replaces no folder with files
                return False
            raise
        point("publish.after_rename")
        _sync(target.parent)
        point("publish.after")
        return True

    def set_aside(self, key: str, damaged: Callable[[], bool]) -> bool:
        """Move a damaged object to `.quarantine`.

        The object is judged again under the lock: since the first look another process may
        have moved it and published a whole one in its place.
        """
        with self._store_lock(fcntl.LOCK_EX):
            if not damaged():
                return False
            shelf = self._root / ".quarantine"
            shelf.mkdir(exist_ok=True)
            point("set_aside.before")
            moved = shelf / f"{Path(key).name}-{uuid.uuid4().hex[:8]}"
            (self._root / key).rename(moved)
            point("set_aside.after")
            return True

    @contextlib.contextmanager
    def _store_lock(self, mode: int) -> Iterator[None]:
        """Hold the lock file of the store; without a lock where the file system has none."""
        self._root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(handle, mode)
            except OSError:
                # Without locks nobody sweeps, so a claim needs none; to move an object does.
                if mode != fcntl.LOCK_SH:
                    raise
            yield
        finally:
            os.close(handle)

    def _sweep_once(self) -> None:
        """Remove what dead processes left in `.staging`; housekeeping must not fail a publish."""
        if self._swept or not self.names(".staging"):
            return
        self._swept = True
        with contextlib.suppress(OSError), self._store_lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
            for name in self.names(".staging"):
                folder = self._root / ".staging" / name
                with contextlib.suppress(OSError):
                    if _is_abandoned(folder):
                        _remove(folder)


def regular_files(folder: Path) -> list[Path]:
    """All entries below a folder that are no folders, sorted; symlinks are not followed."""
    found = [Path(parent, name) for parent, folders, names in os.walk(folder)
             for name in (*names, *(n for n in folders if Path(parent, n).is_symlink()))]
    return sorted(found)


def _folders(folder: Path) -> list[Path]:
    """The folder and all below it, deepest first."""
    return [Path(parent) for parent, _, _ in os.walk(folder, topdown=False)]


def _stamp(path: Path) -> Stamp:
    facts = path.lstat()
    return Stamp(facts.st_size, f"{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_ctime_ns}")


def _sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_upwards(folder: Path, root: Path) -> None:
    """Sync a folder and those above it up to the root: any of them may be new."""
    for parent in (folder, *folder.parents):
        _sync(parent)
        if parent == root:
            return


def _write_durably(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # a first try that came second left one, read-only
    path.write_bytes(content)
    path.chmod(path.stat().st_mode & ~0o222)
    _sync(path)


@contextlib.contextmanager
def _claim(path: Path) -> Iterator[None]:
    """Write who works here and hold a lock on it, which ends with the process if not before."""
    with path.open("w") as owner:
        json.dump({"pid": os.getpid(), "boot_id": _boot_id()}, owner)
        owner.flush()
        with contextlib.suppress(OSError):  # without locks nobody sweeps either
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _boot_id() -> str:
    """Name of this boot of this kernel; empty where the kernel has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _is_abandoned(folder: Path) -> bool:
    """Whether the process that made a staging folder is surely gone.

    A lock that can be had proves it only for this kernel: some shared file systems keep locks to
    one machine. Whatever comes from elsewhere must also have been untouched for a week.
    """
    owner = folder / _OWNER
    if not owner.exists() or owner.stat().st_size == 0:
        return _untouched_seconds(folder) > UNCLAIMED_SECONDS
    with owner.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        boot_id = _boot_id()
        if boot_id and boot_id.encode() in handle.read():
            return True
    return _untouched_seconds(folder) > FOREIGN_SECONDS


def _untouched_seconds(folder: Path) -> float:
    times = [path.lstat().st_mtime for path in (*regular_files(folder), *_folders(folder))]
    return time.time() - max(times, default=time.time())


def _remove(folder: Path) -> None:
    """Remove a staging folder, its owner last; what resists is left to a later sweep."""
    shutil.rmtree(folder / "artifact", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
