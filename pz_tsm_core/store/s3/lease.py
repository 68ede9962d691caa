"""Being alone in a store on S3: a chain of links, each made where none is.

`.alone/<number>` are the links, and the last one says who is alone; an empty one says nobody. To
take the place, to keep it and to give it back are one deed: to make the next link, which of all
who try one can do. So a process that slept and wakes up cannot go on as if it still were alone:
the next number is taken, or not the last. Links before the last mean nothing and are removed.

A link that is not followed by another counts for a time, by the clock of the server alone.
"""

from __future__ import annotations

import errno
import io
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Lock

from pz_tsm_core.store.beat import Beat, seconds
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.refusals import PlaceError
from pz_tsm_core.store.s3.bucket import Bucket, Entry
from pz_tsm_core.store.s3.claims import Claims

_LOG = logging.getLogger(__name__)
_FOLDER = ".alone"
#: Servers tell times in whole seconds, both ends of a span.
GRAIN_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 1.0
_TOLD_AFTER_SECONDS = 5.0


class Lease:
    """The right to be alone in a store, for as long as it is renewed.

    Parameters
    ----------
    bucket : whose requests have ended, whatever their end, within the margin of a lease
    claims : of processes of this machine
    """

    def __init__(self, bucket: Bucket, claims: Claims) -> None:
        self._bucket, self._claims = bucket, claims
        self._lasts = bucket.patience.lease_seconds
        self._mutex = Lock()
        self._owner = uuid.uuid4().hex
        self._number = 0
        self._until = 0.0
        self._claim: io.FileIO | None = None

    def require(self) -> None:
        """Raise unless this process is alone for long enough to make one more request."""
        if seconds() + self._bucket.patience.margin_seconds > self._until:
            raise PlaceError(
                errno.EBUSY, "the right to be alone in the store was lost: its server was away, "
                "or this process slept", "a lease that was renewed in time", "run again")

    def take(self) -> None:
        """Wait until nobody else is alone, then be it."""
        self._claim = self._claims.make(self._owner)
        waited = 0.0
        while not self._take_once():
            waited = _wait(waited)

    def renew(self) -> bool:
        """Go on being alone."""
        with self._mutex:
            return seconds() < self._until and self._link(self._number + 1, self._owner.encode())

    def give_back(self) -> None:
        """Let others be alone; should that fail, the time of the lease does it."""
        try:
            with self._mutex:
                if seconds() < self._until:
                    self._link(self._number + 1, b"")
                self._until = 0.0
            self._claims.end(self._owner)
        except OSError as error:
            _LOG.info("a lease was left to its end: %s", error)

    def close(self) -> None:
        """End the claim on this machine: what still stands on the server is known as dead then."""
        if self._claim:
            self._claim.close()

    def _take_once(self) -> bool:
        last = _last(self._bucket)
        if last and _is_alive(last, self._bucket, self._claims):
            return False
        return self._link(_number(last) + 1 if last else 1, self._owner.encode())

    def _link(self, number: int, content: bytes) -> bool:
        """Make the link of a number; True if it is the last one then."""
        asked = seconds()
        if not self._bucket.create(_key(number), content):
            return False
        links = self._bucket.below(_FOLDER)
        # Those before may have been removed, and the number with them.
        if not links or _number(links[-1]) != number:
            return False
        self._number, self._until = number, asked + self._lasts
        self._bucket.delete(link.key for link in links[:-1])
        return True


@contextmanager
def alone(bucket: Bucket, claims: Claims) -> Iterator[Lease]:
    """Be alone in the store: nobody else is, and nobody begins to hold anything."""
    with closing(Lease(bucket, claims)) as lease:
        point("lease.before")
        lease.take()
        beat = Beat(bucket.patience.lease_seconds / 4, lease.renew)
        point("lease.after")
        try:
            yield lease
        finally:
            beat.end()
            lease.give_back()


def wait_while_taken(bucket: Bucket, claims: Claims) -> None:
    """Wait until nobody is alone in the store."""
    waited = 0.0
    while (last := _last(bucket)) and _is_alive(last, bucket, claims):
        waited = _wait(waited)


def _wait(waited: float) -> float:
    """Sleep a little, and a little longer each time; say so when it takes long."""
    pause = min(_LONGEST_WAIT_SECONDS, 0.1 + waited / 4)
    time.sleep(pause)
    if waited < _TOLD_AFTER_SECONDS <= waited + pause:
        _LOG.warning("somebody is collecting in this store; waiting until they have done")
    return waited + pause


def _last(bucket: Bucket) -> Entry | None:
    links = bucket.below(_FOLDER)
    return links[-1] if links else None


def _is_alive(link: Entry, bucket: Bucket, claims: Claims) -> bool:
    """Whether somebody is alone, as far as the last link tells."""
    if not link.size or link.age_seconds > bucket.patience.lease_seconds + GRAIN_SECONDS:
        return False
    try:
        owner, _ = bucket.get(link.key)
    except FileNotFoundError:  # another has been made after it
        return True
    return not claims.is_dead(owner.decode())


def _key(number: int) -> str:
    return f"{_FOLDER}/{number:016d}"


def _number(link: Entry) -> int:
    return int(link.key.rpartition("/")[2])
