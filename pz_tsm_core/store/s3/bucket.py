"""A bucket as the store uses it: small objects whole, files by the folder, one condition.

botocore asks and s3transfer moves files, as below Amazon's own client; others open what stands
here through UPath and s3fs. Why the store itself does not go through s3fs: docs/adr/015.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from math import nan
from pathlib import Path
from typing import Any

import pyarrow as pa
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.loaders import Loader
from botocore.session import Session
from s3transfer.manager import TransferConfig, TransferManager
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from upath import UPath

from pz_tsm_core.store.s3.place import SCHEME, Patience, Place
from pz_tsm_core.store.s3.reader import RangeReader
from pz_tsm_core.store.s3.refusals import as_os_errors

#: Files of twice as many bytes are sent in parts of so many.
PART_BYTES = 16 << 20
_AT_ONCE = 8
_TRANSFER = TransferConfig(multipart_threshold=2 * PART_BYTES, multipart_chunksize=PART_BYTES,
                           max_request_concurrency=_AT_ONCE)
_UPLOADS = 4  # stages that may publish at once in one process
_BROKEN_OFF = (HTTPClientError, IncompleteReadError)
#: Before an object is tried to be created once more, of which it is not known whether it stands.
_PAUSE_SECONDS = 0.1
#: As many keys as one request may delete.
_DELETED_AT_ONCE = 1000


@dataclass(frozen=True)
class Entry:
    """An object as a listing tells it.

    Parameters
    ----------
    key : below the root of the store
    age_seconds : since it was last written, by the clock of the server alone; NaN if it has none
    """

    key: str
    size: int
    etag: str
    age_seconds: float


class Bucket:
    """The objects of a store; keys are relative to its root.

    Every method raises `OSError` where the server refuses: `refusals`.
    """

    def __init__(self, place: Place, patience: Patience) -> None:
        self.place, self.patience = place, patience

    def get(self, key: str) -> tuple[bytes, str]:
        """Bytes of a small object, and its ETag."""
        with as_os_errors():
            answer = self._client.get_object(**self._named(key))
            with closing(answer["Body"]) as body:
                return body.read(), answer["ETag"].strip('"')

    def put(self, key: str, content: bytes) -> None:
        """Write a small object, whatever stood there."""
        with as_os_errors():
            self._client.put_object(**self._named(key), Body=content)

    def create(self, key: str, content: bytes) -> bool:
        """Write a small object where none stands; of all who do it at once, one gets True.

        The server may take an object and its answer be lost: then it refuses the next try of the
        very same request. So whoever is refused, or gets no answer, looks whose bytes stand there.

        Parameters
        ----------
        content : unlike that of anybody else
        """
        for _ in range(self.patience.tries):
            try:
                with as_os_errors():
                    self._client.put_object(**self._named(key), Body=content, IfNoneMatch="*")
            except OSError as error:
                standing = self._standing(key)
                if standing is not None:
                    return standing == content
                if not isinstance(error, FileExistsError):
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return True
        raise OSError(errno.EBUSY, f"{key} comes and goes")

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone already count as removed."""
        listed = list(keys)
        for start in range(0, len(listed), _DELETED_AT_ONCE):
            named = [{"Key": self.place.below(key)}
                     for key in listed[start:start + _DELETED_AT_ONCE]]
            with as_os_errors():
                answer = self._client.delete_objects(
                    Bucket=self.place.bucket, Delete={"Objects": named, "Quiet": True})
                for refused in answer.get("Errors", ()):
                    raise ClientError({"Error": refused}, "DeleteObjects")

    def below(self, folder: str) -> list[Entry]:
        """Every object below a folder, sorted by key."""
        return [entry for page in self._pages(folder) for entry in self._entries(page)]

    def folders(self, folder: str) -> list[str]:
        """Names of the folders right below a folder, sorted."""
        start = len(self._prefix(folder))
        return sorted(each["Prefix"][start:-1] for page in self._pages(folder, Delimiter="/")
                      for each in page.get("CommonPrefixes", ()))

    def has(self, folder: str) -> bool:
        """Whether there is any object below a folder."""
        with as_os_errors():
            answer = self._client.list_objects_v2(
                Bucket=self.place.bucket, Prefix=self._prefix(folder), MaxKeys=1)
        return bool(answer.get("KeyCount") or answer.get("Contents"))

    def upload(self, files: Sequence[Path], keys: Sequence[str]) -> None:
        """Copy files into objects, several at once."""
        if not files:
            return
        with as_os_errors(), TransferManager(self._client, _TRANSFER) as manager:
            uploads = [manager.upload(str(file), self.place.bucket, self.place.below(key))
                       for file, key in zip(files, keys, strict=True)]
            for upload in uploads:
                upload.result()

    def open(self, key: str) -> pa.NativeFile:
        """Open an object for random access."""
        with as_os_errors():
            size = self._client.head_object(**self._named(key))["ContentLength"]
        reader = RangeReader(lambda start, end: self._range(key, start, end), size)
        return pa.PythonFile(reader, mode="r")

    def path(self, key: str) -> UPath:
        """A path with which other libraries open what lies below the key, also on other machines.

        It carries no credentials: these come from the environment of whoever opens it.
        """
        server = {"endpoint_url": self.place.endpoint} if self.place.endpoint else {}
        path: UPath = UPath(SCHEME + self.place.full(key), use_listings_cache=False,
                            config_kwargs=self.patience.config, **server)
        return path

    def unfinished(self, folder: str) -> Iterator[tuple[str, str]]:
        """Key and id of every upload in parts that is not complete."""
        with as_os_errors():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.place.bucket, Prefix=self._prefix(folder))
            for page in pages:
                for upload in page.get("Uploads", ()):
                    yield self._relative(upload["Key"]), upload["UploadId"]

    def abort(self, key: str, upload: str) -> None:
        """Give up an upload in parts, and the room that its parts take."""
        with as_os_errors():
            self._client.abort_multipart_upload(**self._named(key), UploadId=upload)

    def _range(self, key: str, start: int, end: int) -> bytes:
        with as_os_errors():
            # botocore tries again until an answer has begun, and not when it breaks off.
            for attempt in Retrying(stop=stop_after_attempt(self.patience.tries), reraise=True,
                                    retry=retry_if_exception_type(_BROKEN_OFF)):
                with attempt:
                    answer = self._client.get_object(
                        **self._named(key), Range=f"bytes={start}-{end - 1}")
                    with closing(answer["Body"]) as body:
                        content: bytes = body.read()
            return content

    def _standing(self, key: str) -> bytes | None:
        try:
            return self.get(key)[0]
        except FileNotFoundError:
            return None

    def _pages(self, folder: str, **more: str) -> Iterator[Any]:
        with as_os_errors():
            yield from self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=self._prefix(folder), **more)

    def _entries(self, page: Any) -> Iterator[Entry]:
        date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date) if date else None
        for each in page.get("Contents", ()):
            age = (now - each["LastModified"]).total_seconds() if now else nan
            yield Entry(self._relative(each["Key"]), each["Size"], each["ETag"].strip('"'), age)

    def _prefix(self, folder: str) -> str:
        return self.place.below(f"{folder}/" if folder else "")

    def _relative(self, key: str) -> str:
        return key.removeprefix(self._prefix(""))

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self.place.below(key)}

    @property
    def _client(self) -> Any:
        # That of a parent process would share its connections; that of another environment has
        # other credentials.
        environment = frozenset(each for each in os.environ.items() if each[0].startswith("AWS_"))
        with as_os_errors():
            return _client(self.place.endpoint, self.patience, environment, os.getpid())


@cache
def _client(
    endpoint: str, patience: Patience, _environment: frozenset[tuple[str, str]], _pid: int
) -> Any:
    """Make a client, which takes a while, once for all stores at a server."""
    session = Session()
    session.register_component("data_loader", _loader())
    return session.create_client("s3", endpoint_url=endpoint or None,
                                 config=Config(max_pool_connections=_AT_ONCE * _UPLOADS,
                                               **patience.config))


@cache
def _loader() -> Loader:
    """The description of S3, the largest part of making a client."""
    return Loader()
