"""Whether a server does what the store rests on, found out before the first write."""

from __future__ import annotations

import errno
import json
import uuid

from pz_tsm_core.errors import Code
from pz_tsm_core.store.refusals import PlaceError
from pz_tsm_core.store.s3.bucket import Bucket, Entry
from pz_tsm_core.store.s3.refusals import MAY_NOT_WRITE

#: Names of the servers that were asked, each an object: one store may be reached through several.
SERVERS = ".servers"
_PROBES = ".probe"
#: Between the time of an object and the time of an answer; leases rest on both.
_MAX_SKEW_SECONDS = 30
_OLD_PROBE_SECONDS = 3600


class Server:
    """The server of a bucket, asked once whether it can keep a store."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._trusted = False

    def require(self) -> None:
        """Refuse a server that does not enforce `If-None-Match`, or lists what is not so.

        It is asked with an object that no one else knows; the answer is kept in the store.
        """
        if self._trusted:
            return
        key = f"{SERVERS}/{self._bucket.place.server}"
        try:
            self._bucket.get(key)
        except FileNotFoundError:
            self._probe()
            self._bucket.put(key, json.dumps({"enforces": "If-None-Match"}).encode())
        self._trusted = True

    def enforces(self) -> bool:
        """The same as an answer; False also when it cannot be known for want of permission.

        A server that does not can still be read from.
        """
        try:
            self.require()
        except PlaceError as error:
            if error.code != Code.STORE_UNSUPPORTED and error.errno not in MAY_NOT_WRITE:
                raise
            return False
        return True

    def sweep(self) -> None:
        """Remove the probes that dead processes left."""
        self._bucket.delete(probe.key for probe in self._bucket.below(_PROBES)
                            if probe.age_seconds > _OLD_PROBE_SECONDS)

    def _probe(self) -> None:
        key = f"{_PROBES}/{uuid.uuid4().hex}"
        try:
            first, second = (self._bucket.create(key, word) for word in (b"first", b"second"))
            if not first or second or self._bucket.get(key)[0] != b"first":
                raise _refusal("a second object in the place of the first")
            self._check_listing(key)
        finally:
            self._bucket.delete([key])
        if self._listed(key):
            raise _refusal("an object in a listing that was removed before")

    def _check_listing(self, key: str) -> None:
        listed = self._listed(key)
        if not listed:
            raise _refusal("a listing without an object that was written before")
        if not abs(listed[0].age_seconds) <= _MAX_SKEW_SECONDS:  # nor when it tells no time
            raise _refusal(f"an object that it dates {listed[0].age_seconds:.0f} seconds back "
                           "just after it was written")

    def _listed(self, key: str) -> list[Entry]:
        return [entry for entry in self._bucket.below(_PROBES) if entry.key == key]


def _refusal(found: str) -> PlaceError:
    return PlaceError(
        errno.EOPNOTSUPP, f"a server that gave {found}",
        "a server that enforces If-None-Match and lists what was written (docs/reference/store.md)",
        "keep the store on a disk or on another server", Code.STORE_UNSUPPORTED)
