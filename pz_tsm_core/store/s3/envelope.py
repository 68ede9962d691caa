"""A manifest on the server: which write it belongs to, then the manifest itself.

Both are JSON, one after the other. Data files of a write stand below its own id, so that of two
who write one artifact neither touches a byte of the other's, and whoever reads a manifest knows
which files are meant. The id stands in the object: some servers lose what is put beside it.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Self

_WRITE = re.compile(r"[0-9a-f]{32}")


def new_write() -> str:
    """An id for the files of one write."""
    return uuid.uuid4().hex


def is_write(name: str) -> bool:
    """Whether a folder holds the files of a write."""
    return _WRITE.fullmatch(name) is not None


@dataclass(frozen=True)
class Envelope:
    """What stands in the object of a manifest.

    Parameters
    ----------
    data : key below which the files stand; empty when that is damaged
    content : the manifest
    """

    data: str
    content: bytes

    def to_bytes(self) -> bytes:
        """As it is written."""
        return json.dumps({"data": self.data}).encode() + b"\n" + self.content

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Read it; what is no envelope is given whole as content, which will not be sound."""
        first, _, content = body.partition(b"\n")
        try:
            data = json.loads(first)["data"]
            if is_write(data.rpartition("/")[2]) and ".." not in data.split("/"):
                return cls(data, content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        return cls("", body)

    @property
    def write(self) -> str:
        """Id of the write."""
        return self.data.rpartition("/")[2]
