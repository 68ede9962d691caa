"""Files that no manifest names: of writes that were cut short, lost a race, or were collected."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress

from pz_tsm_core.store.backend import MANIFEST
from pz_tsm_core.store.keys import ADDRESS, OBJECTS, QUARANTINE
from pz_tsm_core.store.s3.bucket import Bucket
from pz_tsm_core.store.s3.envelope import Envelope, is_write

_STANDING = re.compile(rf"({OBJECTS}/[^/]+/[0-9a-f]{{2}}/{ADDRESS.pattern})/([^/]+)(/.+)?")


def leftovers(bucket: Bucket, held: frozenset[str]) -> dict[str, int]:
    """Keys below which such files stand, with their bytes; to be asked alone in the store.

    Whoever writes an artifact holds its address before, so that of an address that nobody holds
    nothing is being written; and every write has its own place, so that nothing ever will be
    written there again.
    """
    writes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    published = set()
    for entry in bucket.below(OBJECTS):
        match = _STANDING.fullmatch(entry.key)
        if not match or match[1].rpartition("/")[2] in held:
            continue
        if match[2] == MANIFEST:
            published.add(match[1])
        elif match[3] and is_write(match[2]):
            sizes = writes[match[1]]
            sizes[match[2]] = sizes.get(match[2], 0) + entry.size
    aside = _named_by_set_aside(bucket)
    return {
        f"{key}/{write}": size
        for key, sizes in writes.items()
        for write, size in sizes.items()
        if f"{key}/{write}" not in aside
        and not (key in published and (len(sizes) == 1 or _names(bucket, key, write)))
    }


def delete_below(bucket: Bucket, folder: str) -> None:
    """Delete every object below a folder."""
    bucket.delete(entry.key for entry in bucket.below(folder))


def abort_unfinished(bucket: Bucket, held: frozenset[str]) -> None:
    """Give up uploads in parts that nobody goes on with; some servers know none."""
    with suppress(OSError):
        for key, upload in list(bucket.unfinished(OBJECTS)):
            match = _STANDING.fullmatch(key)
            if match and match[1].rpartition("/")[2] not in held:
                bucket.abort(key, upload)


def _named_by_set_aside(bucket: Bucket) -> set[str]:
    shelves = bucket.folders(QUARANTINE)
    bodies = (bucket.get(f"{QUARANTINE}/{shelf}/{MANIFEST}")[0] for shelf in shelves)
    return {Envelope.from_bytes(body).data for body in bodies}


def _names(bucket: Bucket, key: str, write: str) -> bool:
    """Whether the manifest of an artifact names the files of a write."""
    return Envelope.from_bytes(bucket.get(f"{key}/{MANIFEST}")[0]).write == write
