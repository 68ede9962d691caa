"""The store on a file system: one rename makes a folder visible, locks tell living from dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.store.backend import MANIFEST, TURN_SECONDS, Stamp, Stamps, Turn
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.holds import Hold, held, sweep_holds
from pz_tsm_core.store.keys import OBJECTS, QUARANTINE, STAGING
from pz_tsm_core.store.owners import LOCK, claim, is_abandoned, store_lock
from pz_tsm_core.store.turns import Turns, sweep_turns

_OWNER = "owner.json"
_TRASH = ".trash"


class PosixBackend:
    """A `Backend` on a local or shared file system with atomic rename.

    Parameters
    ----------
    root : folder of the store, made on the first publish
    turn_seconds : after which a turn that nobody renews is over
    """

    sound: Stamps | None = None  # the times of a file can be set back

    def __init__(self, root: Path, turn_seconds: float = TURN_SECONDS) -> None:
        self._root, self._turn_seconds = root, turn_seconds
        self._turns = Turns(root, turn_seconds)
        self._hold = Hold(root)
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
        stamps = {}
        for path in regular_files(self._root / key):
            with contextlib.suppress(FileNotFoundError):  # the object is being moved away
                stamps[path.relative_to(self._root / key).as_posix()] = _stamp(path)
        return stamps

    def read(self, key: str) -> bytes:
        """Bytes of a small file."""
        return (self._root / key).read_bytes()

    def open(self, key: str) -> pa.NativeFile:
        """Open a file for random access."""
        return pa.OSFile(str(self._root / key), "rb")

    def locate(self, key: str) -> Path:
        """Path of the key."""
        return self._root / key

    def beside(self, name: str) -> Path:
        """Folder of that name in the root."""
        return self._root / name

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Lend a folder below `.staging`, under a lock that dies with this process."""
        self._sweep_once()
        folder = self._root / STAGING / uuid.uuid4().hex
        point("stage.before")
        with contextlib.ExitStack() as stack:
            stack.callback(_remove, folder)
            with store_lock(self._root, fcntl.LOCK_SH):
                (folder / "artifact").mkdir(parents=True)
                # No sweeper sees the folder before its lock.
                stack.enter_context(claim(folder / _OWNER))
                (self._root / _TRASH).mkdir(exist_ok=True)  # a full disk would not take it
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

    def replace(self, key: str, content: bytes) -> None:
        """Write beside, where a sweep finds what a crash leaves, and rename into place."""
        target = self._root / key
        with self.staging() as folder:
            fresh = folder / target.name
            _write_durably(fresh, content)
            target.parent.mkdir(parents=True, exist_ok=True)
            point("replace.before_rename")
            fresh.replace(target)
            point("replace.after_rename")
            _sync_upwards(target.parent, self._root)

    def set_aside(self, key: str, damaged: Callable[[], bool]) -> bool:
        """Move a damaged object to `.quarantine`.

        The object is judged again under the lock: since the first look another process may
        have moved it and published a whole one in its place.
        """
        with store_lock(self._root, fcntl.LOCK_EX):
            if not damaged():
                return False
            shelf = self._root / QUARANTINE
            shelf.mkdir(exist_ok=True)
            point("set_aside.before")
            moved = shelf / f"{Path(key).name}-{uuid.uuid4().hex[:8]}"
            (self._root / key).rename(moved)
            point("set_aside.after")
            return True

    def hold(self, address: str) -> bool:
        """Write an address into the hold of this backend, which dies with this process."""
        # A folder of another kind is not written to because somebody looked for artifacts there.
        if not any((self._root / name).exists() for name in (LOCK, OBJECTS)):
            return False
        self._hold.add(address)
        return True

    def turn(self, address: str) -> Turn | None:
        """Claim a file of that name, under a lock that dies with this process."""
        return self._turns.take(address)

    @contextlib.contextmanager
    def collecting(self) -> Iterator[frozenset[str]]:
        """Keep the store alone, under its lock, and say what running processes hold."""
        with store_lock(self._root, fcntl.LOCK_EX):
            yield held(self._root)

    def discard(self, key: str) -> bool:
        """Rename an object into `.trash`."""
        point("collect.before_move")
        moved = self._into_trash(self._root / key)
        point("collect.after_move")
        return moved is not None

    def sweep(self, *, dry_run: bool = False) -> int:
        """Delete what lies in `.trash`, and what dead processes left elsewhere."""
        with store_lock(self._root, fcntl.LOCK_EX):
            if dry_run:
                return sum(map(self._bytes, (*self._abandoned(), *self._trash())))
            self._retire()
        if self._trash():
            _sync(self._root / _TRASH)  # a loss of power brings nothing back that is half deleted
        swept = 0
        for folder in self._trash():
            swept += self._bytes(folder)
            point("collect.before_delete")
            _delete(folder)
        return swept

    def _retire(self) -> list[Path]:
        """Put aside what dead processes left, to be deleted when others need not wait for it."""
        sweep_holds(self._root)
        sweep_turns(self._root, self._turn_seconds)
        moved = [self._into_trash(folder) for folder in self._abandoned()]
        return [folder for folder in moved if folder]

    def _abandoned(self) -> list[Path]:
        """Staging folders of dead processes; to be asked alone in the store."""
        found = []
        for name in self.names(STAGING):
            folder = self._root / STAGING / name
            with contextlib.suppress(OSError):
                if is_abandoned(folder / _OWNER, folder):
                    found.append(folder)
        return found

    def _into_trash(self, folder: Path) -> Path | None:
        """Move a folder there; None when it has gone already."""
        (self._root / _TRASH).mkdir(exist_ok=True)
        try:
            return folder.rename(self._root / _TRASH / uuid.uuid4().hex)
        except FileNotFoundError:
            return None

    def _trash(self) -> list[Path]:
        return [self._root / _TRASH / name for name in self.names(_TRASH)]

    def _bytes(self, folder: Path) -> int:
        key = folder.relative_to(self._root).as_posix()
        return sum(stamp.size for stamp in self.files(key).values())

    def _sweep_once(self) -> None:
        """Remove what dead processes left; housekeeping must not fail a publish, nor wait."""
        if self._swept or not self._root.is_dir():
            return
        self._swept = True
        retired: list[Path] = []
        with contextlib.suppress(OSError), store_lock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB):
            retired = self._retire()
        for folder in retired:
            _delete(folder)


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


def _remove(folder: Path) -> None:
    """Remove a staging folder, its owner last; what resists is left to a later sweep."""
    _delete(folder / "artifact")
    _delete(folder)


def _delete(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
