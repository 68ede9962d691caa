"""Which artifacts running processes use, on a server that knows no processes.

A hold is an object below `.holds` that names addresses, renewed as long as its process lives. An
address is written there before the store looks for it or publishes it; after that, whoever holds
looks whether somebody is alone in the store, and if so, waits. Whoever collects is alone first,
and reads the holds after. Of the two, one sees the other.
"""

from __future__ import annotations

import errno
import os
import re
import uuid
import weakref
from contextlib import suppress
from functools import partial
from threading import Lock

from pz_tsm_core.store.beat import Beat, seconds
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.refusals import PlaceError
from pz_tsm_core.store.s3.bucket import Bucket, Entry
from pz_tsm_core.store.s3.claims import Claims
from pz_tsm_core.store.s3.lease import GRAIN_SECONDS, wait_while_taken
from pz_tsm_core.store.s3.refusals import MAY_NOT_WRITE

_FOLDER = ".holds"
_ADDRESS = re.compile(rb"[0-9a-f]{64}")
_END_SECONDS = 5.0  # for which the end of a process waits, should its server be away
_RENEWALS = 8  # in the time for which a hold counts


class Hold:
    """The addresses that one open store uses; it ends with this object or its process.

    Parameters
    ----------
    bucket : of the store
    quick : the same for requests that must soon end: the last one of a process
    claims : of processes of this machine
    """

    def __init__(self, bucket: Bucket, quick: Bucket, claims: Claims) -> None:
        self._bucket, self._quick, self._claims = bucket, quick, claims
        self._mutex = Lock()
        self._pid = 0
        self._name = ""
        self._until = 0.0
        self._wanted: set[str] = set()
        self._written: set[str] = set()
        self._settled: set[str] = set()  # and nobody was alone in the store after that

    @property
    def name(self) -> str:
        """Name of what stands on the server; another one after this process has lost a hold."""
        return self._name

    def add(self, address: str) -> None:
        """Hold one more address; where this process may not write to the store, do nothing."""
        with self._mutex:
            if address in self._settled and self._stands():
                return
            point("hold.before")
            try:
                self._write(address)
            except OSError as error:
                if error.errno in MAY_NOT_WRITE:
                    return
                raise
            point("hold.after")
            name = self._name
        wait_while_taken(self._quick, self._claims)
        with self._mutex:
            if name == self._name:
                self._settled.add(address)

    def require(self, name: str) -> None:
        """Raise unless everything has been held, since the hold was called so, until now."""
        if not (name == self._name and self._stands()):
            raise PlaceError(
                errno.EAGAIN, "what this process writes was not held all the time: its server was "
                "away, or this process slept", "a hold that was renewed in time", "run again")

    def renew(self, name: str) -> bool:
        """Write the hold anew, so that it counts for another while; False once it is lost."""
        with self._mutex:
            if name != self._name or not self._stands():
                return False
            self._put()
            return True

    def _stands(self) -> bool:
        return self._pid == os.getpid() and seconds() < self._until

    def _write(self, address: str) -> None:
        self._wanted.add(address)
        if not self._stands():
            self._begin()
        if address not in self._written:
            self._put()

    def _put(self) -> None:
        asked, wanted = seconds(), set(self._wanted)
        self._bucket.put(f"{_FOLDER}/{self._name}", "\n".join(sorted(wanted)).encode())
        self._written, self._until = wanted, asked + self._bucket.patience.hold_seconds

    def _begin(self) -> None:
        """Take a new name: a parent's hold is left to the parent, a lost one to its end."""
        name, self._pid = uuid.uuid4().hex, os.getpid()
        self._name, self._written, self._settled = name, set(), set()
        claim, this = self._claims.make(name), weakref.ref(self)
        every = self._bucket.patience.hold_seconds / _RENEWALS
        beat = Beat(every, lambda: (hold := this()) is not None and hold.renew(name),
                    partial(_remove, self._quick, self._claims, name))
        weakref.finalize(self, _end, beat, self._pid)
        if claim:
            weakref.finalize(self, claim.close)


def _end(beat: Beat, pid: int) -> None:
    """Give up a hold; a child that inherited it leaves it to its parent.

    Not in this thread: it may be in the midst of anything when an object is found to be garbage,
    also of a request, whose locks another one would wait for.
    """
    if pid == os.getpid():
        beat.end(_END_SECONDS)


def _remove(bucket: Bucket, claims: Claims, name: str) -> None:
    bucket.delete([f"{_FOLDER}/{name}"])
    claims.end(name)


def held(bucket: Bucket, claims: Claims) -> frozenset[str]:
    """Addresses that running processes hold; to be asked alone in the store."""
    addresses: set[str] = set()
    for entry in bucket.below(_FOLDER):
        with suppress(FileNotFoundError):  # its process has just ended
            if not _is_over(entry, bucket, claims):
                content, _ = bucket.get(entry.key)
                addresses.update(each.decode() for each in _ADDRESS.findall(content))
    return frozenset(addresses)


def sweep_holds(bucket: Bucket, claims: Claims) -> None:
    """Remove the holds of dead processes; to be called alone in the store."""
    entries = bucket.below(_FOLDER)
    over = {entry.key for entry in entries if _is_over(entry, bucket, claims)}
    bucket.delete(over)
    claims.sweep(frozenset(_name(entry) for entry in entries if entry.key not in over))


def _is_over(entry: Entry, bucket: Bucket, claims: Claims) -> bool:
    return (entry.age_seconds > bucket.patience.hold_seconds + GRAIN_SECONDS
            or claims.is_dead(_name(entry)))


def _name(entry: Entry) -> str:
    return entry.key.rpartition("/")[2]
