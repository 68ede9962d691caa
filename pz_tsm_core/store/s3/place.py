"""Where a store on S3 is, and how long its server may take."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from platformdirs import user_cache_path

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import sha256_of
from pz_tsm_core.store.backend import TURN_SECONDS

SCHEME = "s3://"
_LOCATION = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>.*))?")
#: What botocore and s3fs take the address of a server from; the first one counts.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class Patience:
    """How long a request may take, and how long what nobody renews is believed.

    Parameters
    ----------
    tries : how often a request that may pass is sent, before it is told as failed
    lease_seconds : how long a collector that has died keeps others waiting, at most
    hold_seconds : how long what a process used is kept after it has died
    turn_seconds : how long who makes an artifact and has died keeps others waiting, at most
    """

    connect_seconds: float = 10
    read_seconds: float = 20
    tries: int = 3
    lease_seconds: float = 60
    hold_seconds: float = 86_400
    turn_seconds: float = TURN_SECONDS

    @property
    def margin_seconds(self) -> float:
        """What must be left of a lease for one more request under it."""
        return 0.4 * self.lease_seconds

    @property
    def quick(self) -> Self:
        """For requests that must have ended, whatever their end, within the margin of a lease."""
        return replace(self, connect_seconds=self.margin_seconds / 8,
                       read_seconds=3 * self.margin_seconds / 8, tries=2)

    @property
    def config(self) -> dict[str, Any]:
        """The same for botocore and s3fs."""
        retries = {"total_max_attempts": self.tries, "mode": "standard"}
        return {"connect_timeout": self.connect_seconds, "read_timeout": self.read_seconds,
                "retries": retries}


@dataclass(frozen=True)
class Place:
    """A prefix in a bucket, at the server that the environment names.

    Parameters
    ----------
    prefix : without slashes around it; empty for the whole bucket
    endpoint : address of the server; empty for Amazon's, or one of the user's AWS configuration
    """

    bucket: str
    prefix: str
    endpoint: str

    @classmethod
    def at(cls, location: str) -> Self:
        """Read `s3://BUCKET/PREFIX`; the server stands in AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL.

        Raises
        ------
        TsmError
            `store.unsupported` when it is no such location.
        """
        match = _LOCATION.fullmatch(location)
        prefix = (match["prefix"] or "").removesuffix("/") if match else ""
        if not match or (prefix and {"", ".", ".."} & set(prefix.split("/"))):
            raise refuse(
                Code.STORE_UNSUPPORTED, location, found="a location that names no place on S3",
                expected="s3://BUCKET or s3://BUCKET/PREFIX", remedy="correct the location",
            )
        endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
        return cls(match["bucket"], prefix, endpoint)

    @property
    def location(self) -> str:
        """As people write it."""
        return f"{SCHEME}{self.full('')}".rstrip("/")

    @property
    def server(self) -> str:
        """Name of the server: host and port."""
        return self.endpoint.rpartition("://")[2].rstrip("/") or "amazonaws.com"

    @property
    def scratch(self) -> Path:
        """Folder of this user and machine for what belongs to the store and may be lost."""
        name = sha256_of([self.server, self.bucket, self.prefix])[:16]
        return user_cache_path("pz-tsm") / "s3" / name

    def full(self, key: str) -> str:
        """A key of the store as bucket and key of the server, separated by a slash."""
        return f"{self.bucket}/{self.below(key)}"

    def below(self, key: str) -> str:
        """A key of the store as key of the server."""
        return f"{self.prefix}/{key}" if self.prefix else key
