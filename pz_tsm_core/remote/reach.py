"""All that a retrieval needs to reach out: limits, deadline, session, downloads, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import requests

from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote.deadline import Deadline
from pz_tsm_core.remote.download import Order, Received, Transfer
from pz_tsm_core.remote.session import Session
from pz_tsm_core.remote.state import Stated, ask_state

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Unit = Literal["bytes", "rows"]


@dataclass(frozen=True)
class Moved:
    """How far a transfer has come.

    Parameters
    ----------
    total : None where nobody knows
    """

    what: str
    done: int
    total: int | None
    unit: Unit


class Reach:
    """The one way out, for one retrieval.

    Parameters
    ----------
    limits : how long, how much, how often
    hear : is told of progress

    Attributes
    ----------
    deadline : of all that is done with it; begins to run when it is made
    session : for libraries that speak HTTP themselves: guarded, patient, polite
    """

    def __init__(
        self, limits: FetchLimits | None = None, *, hear: Callable[[Moved], None] | None = None
    ) -> None:
        self.limits = limits or FetchLimits()
        self.deadline = Deadline(self.limits.total_seconds)
        self.session: requests.Session = Session(self.limits, self.deadline)
        self._hear = hear
        self._buckets: dict[str, dict[str, Any]] = {}

    def state(self, url: str, known: str = "") -> Stated:
        """Ask what there is at an address, and whether it has changed; one request.

        Parameters
        ----------
        known : the validator of a former answer

        Raises
        ------
        TsmError
            `service.*` or `remote.*`.
        """
        return ask_state(self.session, url, known)

    def download(
        self,
        url: str,
        target: Path,
        *,
        method: str = "GET",
        data: Mapping[str, Any] | None = None,
        validator: str = "",
        sha256: str = "",
        md5: str = "",
        bytes: int | None = None,  # noqa: A002 - the unit is the name
    ) -> Received:
        """Bring a file to disk, whole and checked.

        It is streamed to `target` + ".part", which a later call, also of another process, goes on
        with where the server allows that; what is at `target` is whole.

        Parameters
        ----------
        validator : of the file that is expected: what is left of another one is not gone on with
        sha256, md5, bytes : that it must have, where they are known

        Raises
        ------
        TsmError
            `service.*`; `remote.limit` for more than the limits allow, `remote.forbidden`,
            `source.changed` for a file that is not what it should be, `store.io` for a full disk.
        """
        order = Order(url, target, method, data, validator, sha256, md5, bytes)
        return Transfer(order, self.session, self.limits, self.deadline, self.tell).carry_out()

    def tell(self, what: str, done: int, total: int | None, unit: Unit) -> None:
        """Say how far something has come, to whoever wants to hear it."""
        if self._hear is not None:
            self._hear(Moved(what, done, total, unit))

    def filesystem(self, url: str) -> AbstractFileSystem:
        """A guarded file system of fsspec for what lies at an address: http, https or s3."""
        from pz_tsm_core.remote.filesystem import open_filesystem

        return open_filesystem(url, self.storage_options(url))

    def storage_options(self, url: str) -> dict[str, Any]:
        """What makes fsspec and UPath reach an address as `filesystem` does.

        A bucket of S3 is asked once whether it is public, by the first address in it.
        """
        from pz_tsm_core.remote.filesystem import storage_options

        bucket = urlsplit(url).netloc if url.startswith("s3://") else ""
        options = self._buckets.get(bucket) or storage_options(url, self.limits, self.deadline)
        if bucket:
            self._buckets[bucket] = options
        return dict(options)
