"""The store on S3: files first, each write in its own place; the manifest last, where none is."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pyarrow as pa
from upath import UPath

from pz_tsm_core.store.backend import MANIFEST, Stamp, Stamps, Turn, Unguarded
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.keys import OBJECTS, QUARANTINE
from pz_tsm_core.store.posix import PosixBackend, regular_files
from pz_tsm_core.store.refusals import PlaceError
from pz_tsm_core.store.remembered import Remembered
from pz_tsm_core.store.s3.bucket import Bucket
from pz_tsm_core.store.s3.claims import Claims
from pz_tsm_core.store.s3.envelope import Envelope, new_write
from pz_tsm_core.store.s3.holds import Hold, held, sweep_holds
from pz_tsm_core.store.s3.lease import Lease, alone
from pz_tsm_core.store.s3.leftovers import abort_unfinished, delete_below, leftovers
from pz_tsm_core.store.s3.place import Patience, Place
from pz_tsm_core.store.s3.server import SERVERS, Server
from pz_tsm_core.store.s3.turns import sweep_turns, take_turn

#: A key of an artifact: `objects/<stage>/<xx>/<address>`.
_OBJECT_PARTS = 4


class S3Backend:
    """A `Backend` in a bucket of any server that enforces `If-None-Match`.

    Parameters
    ----------
    place : the bucket and the prefix below which the store stands
    patience : with the server, and with processes of which nothing is heard
    """

    def __init__(self, place: Place, patience: Patience | None = None) -> None:
        patience = patience or Patience()
        self._bucket = Bucket(place, patience)
        self._quick = Bucket(place, patience.quick)  # for what must end within a lease
        self._local = PosixBackend(place.scratch)
        self._scratch = place.scratch
        self._claims = Claims(place.scratch)
        self._server = Server(self._bucket)
        self._hold = Hold(self._bucket, self._quick, self._claims)
        self._exists = False
        self._lease: Lease | None = None
        self._discarded: list[str] = []  # data whose manifest this backend has deleted
        self._envelopes: dict[str, tuple[str, Envelope]] = {}  # by key, with the ETag of each
        self.sound: Stamps | None = Remembered(place.scratch / "sound.jsonl")

    def names(self, key: str) -> list[str]:
        """Folders right below a key, sorted; also of artifacts that are being written."""
        return self._bucket.folders(key)

    def files(self, key: str) -> dict[str, Stamp]:
        """Every file of an object, by what its manifest names; of another key all below it."""
        entries = {entry.key.removeprefix(f"{key}/"): entry for entry in self._bucket.below(key)}
        if not key.startswith((f"{OBJECTS}/", f"{QUARANTINE}/")):
            return {path: Stamp(entry.size, entry.etag) for path, entry in entries.items()}
        if MANIFEST not in entries:  # nothing stands there yet
            return {}
        manifest = entries[MANIFEST]
        stamps = {MANIFEST: Stamp(manifest.size, manifest.etag)}
        if data := self._data(key, manifest.etag):
            listed = entries.values() if data.startswith(key) else self._bucket.below(data)
            for entry in listed:
                if entry.key.startswith(f"{data}/"):
                    token = f"{data.rpartition('/')[2]}-{entry.etag}"
                    stamps[entry.key.removeprefix(f"{data}/")] = Stamp(entry.size, token)
        return stamps

    def read(self, key: str) -> bytes:
        """Bytes of a small file; of a manifest without its envelope."""
        folder, _, name = key.rpartition("/")
        if name == MANIFEST:
            return self._opened(folder).content
        return self._bucket.get(key)[0]

    def open(self, key: str) -> pa.NativeFile:
        """Open a file for random access."""
        return self._bucket.open(self._place_of(key))

    def locate(self, key: str) -> UPath:
        """Path of the key; of an object, that of its files."""
        return self._bucket.path(self._place_of(key))

    def beside(self, name: str) -> Path:
        """Folder of this user on this machine: such records need a file system."""
        return self._scratch / name

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Lend a folder on the local disk of this user's cache."""
        self._server.require()
        self._exists = True
        with self._local.staging() as folder:
            yield folder

    def publish(self, staged: Path, key: str, manifest: bytes) -> bool:
        """Upload the files to a place of their own, then put the manifest that names it.

        Until then nobody sees them; should this process die, they are leftovers.
        """
        envelope = Envelope(f"{key}/{new_write()}", manifest)
        files = regular_files(staged)
        if files:
            self._hold.add(key.rpartition("/")[2])  # nothing to do, unless this process slept
        held_as = self._hold.name
        point("publish.before_upload")
        try:
            self._upload(files, staged, envelope.data)
            point("publish.before_manifest")
            if files:
                self._hold.require(held_as)
        except OSError:
            with suppress(OSError):
                delete_below(self._bucket, envelope.data)
            raise
        # From here on nobody may delete the files before it is known whose manifest stands.
        if not self._bucket.create(f"{key}/{MANIFEST}", envelope.to_bytes()):
            point("publish.lost")
            delete_below(self._bucket, envelope.data)
            return False
        point("publish.after")
        return True

    def replace(self, key: str, content: bytes) -> None:
        """Put the record; a server shows the old one or the new, and keeps what it has taken."""
        self._server.require()
        point("replace.before_put")
        self._bucket.put(key, content)
        point("replace.after_put")

    def set_aside(self, key: str, damaged: Callable[[], bool]) -> bool:
        """Put the manifest into `.quarantine` and delete it; its files stay where they are.

        The object is judged again when this process is alone: since the first look another may
        have set it aside and published a whole one in its place.
        """
        with self._alone() as lease:
            if not damaged():
                return False
            envelope, _ = self._bucket.get(f"{key}/{MANIFEST}")
            shelf = f"{QUARANTINE}/{key.rpartition('/')[2]}-{uuid.uuid4().hex[:8]}"
            point("set_aside.before")
            self._bucket.put(f"{shelf}/{MANIFEST}", envelope)
            point("set_aside.between")
            lease.require()
            self._quick.delete([f"{key}/{MANIFEST}"])
            point("set_aside.after")
            return True

    def hold(self, address: str) -> bool:
        """Write an address into the hold of this backend, which counts as long as it is renewed."""
        self._exists = self._exists or any(map(self._bucket.has, (SERVERS, OBJECTS)))
        if self._exists and self._server.enforces():  # where nobody can collect nobody need hold
            self._hold.add(address)
        return self._exists

    def turn(self, address: str) -> Turn | None:
        """Make an object that nobody has made, which counts as long as it is renewed."""
        if not self._server.enforces():  # nobody can be kept out
            return Unguarded()
        return take_turn(self._bucket, self._quick, self._claims, address)

    @contextmanager
    def collecting(self) -> Iterator[frozenset[str]]:
        """Be alone in the store, and say what running processes hold."""
        with self._alone() as lease:
            self._lease = lease
            try:
                yield held(self._bucket, self._claims)
            finally:
                self._lease = None

    def discard(self, key: str) -> bool:
        """Delete the manifest, if this process is still alone; the files are swept later."""
        try:
            data = self._opened(key).data
        except FileNotFoundError:
            return False
        point("collect.before_move")
        if self._lease is None:
            raise RuntimeError("discard is for those who are collecting")
        self._lease.require()
        self._quick.delete([f"{key}/{MANIFEST}"])
        point("collect.after_move")
        self._discarded += [data] if data.startswith(f"{key}/") else []
        return True

    def sweep(self, *, dry_run: bool = False) -> int:
        """Delete files that no manifest names, and what dead processes left here and there."""
        swept = self._local.sweep(dry_run=dry_run)
        with self._alone():
            in_use = held(self._bucket, self._claims)
            left = leftovers(self._bucket, in_use)
            if not dry_run:
                abort_unfinished(self._bucket, in_use)
                sweep_turns(self._bucket, self._claims)  # before the claims of the dead
                sweep_holds(self._bucket, self._claims)
        swept += sum(left.values())
        if dry_run:
            return swept
        for data in dict.fromkeys((*left, *self._discarded)):
            point("collect.before_delete")
            delete_below(self._bucket, data)
        self._discarded.clear()
        self._server.sweep()
        return swept

    def _alone(self) -> AbstractContextManager[Lease]:
        self._server.require()
        return alone(self._quick, self._claims)

    def _upload(self, files: list[Path], staged: Path, data: str) -> None:
        """Copy files and see that the server has them all."""
        paths = {file.relative_to(staged).as_posix(): file for file in files}
        self._bucket.upload(list(paths.values()), [f"{data}/{path}" for path in paths])
        if not files:
            return
        there = {entry.key.removeprefix(f"{data}/"): entry.size
                 for entry in self._bucket.below(data)}
        if there != {path: file.stat().st_size for path, file in paths.items()}:
            raise PlaceError(errno.EIO, "other files than were sent", "the files that were sent",
                             "run again; should it happen twice, check the server")

    def _opened(self, key: str) -> Envelope:
        """Envelope of an object, read now."""
        body, etag = self._bucket.get(f"{key}/{MANIFEST}")
        self._envelopes[key] = etag, Envelope.from_bytes(body)
        return self._envelopes[key][1]

    def _data(self, key: str, etag: str) -> str:
        """Key of the files of an object whose manifest has this ETag now."""
        known, envelope = self._envelopes.get(key, ("", None))
        return envelope.data if envelope and known == etag else self._opened(key).data

    def _place_of(self, key: str) -> str:
        """Key of a file of an object as it stands on the server; other keys stay as they are."""
        parts = key.split("/")
        if parts[0] != OBJECTS or len(parts) < _OBJECT_PARTS:
            return key
        above = "/".join(parts[:_OBJECT_PARTS])
        _, envelope = self._envelopes.get(above, ("", None))
        data = envelope.data if envelope else self._opened(above).data
        return "/".join((data, *parts[_OBJECT_PARTS:]))


