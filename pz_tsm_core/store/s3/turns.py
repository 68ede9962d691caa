"""Whose turn it is to make an artifact, on a server that knows no processes.

`.turns/<address>/<number>` are objects of which each is made where none is, and the last one says
who makes the artifact; it is written anew as long as it is being made. Who finds that too long ago
makes the next number, which of all who try one can do. So a maker that slept and wakes up renews a
number that means nothing any more. Who gives a turn back removes its own number and those before.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import groupby

from pz_tsm_core.store.backend import Turn, Unguarded
from pz_tsm_core.store.beat import Beat, seconds
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.keys import TURNS
from pz_tsm_core.store.s3.bucket import Bucket, Entry
from pz_tsm_core.store.s3.claims import Claims
from pz_tsm_core.store.s3.lease import GRAIN_SECONDS
from pz_tsm_core.store.s3.refusals import MAY_NOT_WRITE

_RENEWALS = 3  # in the time for which a turn counts
_END_SECONDS = 5.0  # for which a stage waits at its end, should the server be away


class S3Turn:
    """A `Turn` that stands as an object, written anew by a thread of its own.

    Parameters
    ----------
    bucket : whose requests soon end
    claims : of processes of this machine
    keys : of the object that was made, after those before it
    owner, claim : name of the claim, and what ends it
    asked : when the object was asked for, in `beat.seconds`
    """

    def __init__(
        self, bucket: Bucket, claims: Claims, *, keys: Sequence[str], owner: str,
        claim: ExitStack, asked: float,
    ) -> None:
        self._bucket, self._claims, self._keys = bucket, claims, keys
        self._owner, self._claim = owner, claim
        self._lasts = bucket.patience.turn_seconds
        self._until = asked + self._lasts
        self._beat = Beat(self._lasts / _RENEWALS, self._renew, self._remove)

    def give_back(self) -> None:
        """Remove the object; should its server be away, the time of the turn ends it."""
        self._beat.end(_END_SECONDS)

    def _renew(self) -> bool:
        """Write the object anew; False once the turn is lost."""
        asked = seconds()
        if asked >= self._until:
            return False
        self._bucket.put(self._keys[-1], self._owner.encode())
        self._until = asked + self._lasts
        return True

    def _remove(self) -> None:
        with self._claim:  # once it is closed, what still stands is known as dead here
            point("turn.before_end")
            if seconds() < self._until:  # else the number may be that of another by now
                self._bucket.delete(self._keys)
            self._claims.end(self._owner)
            point("turn.after_end")


def take_turn(bucket: Bucket, quick: Bucket, claims: Claims, address: str) -> Turn | None:
    """Take the turn at an address, or give None when somebody else has it.

    Parameters
    ----------
    quick : the same bucket for requests that must soon end, which renew the turn and end it
    """
    point("turn.before")
    try:
        turn = _taken(bucket, quick, claims, address)
    except OSError as error:
        if error.errno not in MAY_NOT_WRITE:
            raise
        return Unguarded()  # who may not write is told when it publishes
    point("turn.after")
    return turn


def _taken(bucket: Bucket, quick: Bucket, claims: Claims, address: str) -> Turn | None:
    before = bucket.below(f"{TURNS}/{address}")
    if before and not _is_over(before[-1], bucket, claims):
        return None
    number = int(_name(before[-1])) + 1 if before else 1
    keys = [*(entry.key for entry in before), f"{TURNS}/{address}/{number:06d}"]
    owner, asked = uuid.uuid4().hex, seconds()
    with ExitStack() as claim:
        if file := claims.make(owner):
            claim.enter_context(file)
        if bucket.create(keys[-1], owner.encode()):
            return S3Turn(quick, claims, keys=keys, owner=owner, claim=claim.pop_all(), asked=asked)
        claims.end(owner)
    return None


def sweep_turns(bucket: Bucket, claims: Claims) -> None:
    """Remove the turns of dead processes, and what is left of turns that others took over."""
    left: list[str] = []
    for _, entries in groupby(bucket.below(TURNS), lambda entry: entry.key.rpartition("/")[0]):
        *before, last = entries
        left += [entry.key for entry in before]
        left += [last.key] if _is_over(last, bucket, claims) else []
    bucket.delete(left)


def _is_over(turn: Entry, bucket: Bucket, claims: Claims) -> bool:
    """Whether nobody has a turn any more."""
    # From the future: the clock of the server was set back.
    if abs(turn.age_seconds) > bucket.patience.turn_seconds + GRAIN_SECONDS:
        return True
    with suppress(FileNotFoundError):
        return claims.is_dead(bucket.get(turn.key)[0].decode(errors="replace"))
    return True


def _name(entry: Entry) -> str:
    return entry.key.rpartition("/")[2]
