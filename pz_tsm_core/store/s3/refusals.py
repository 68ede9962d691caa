"""What a server, or the way to it, answers instead of what was asked, as errors of a place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions as boto

from pz_tsm_core.errors import Code
from pz_tsm_core.store.refusals import PlaceError

#: Of somebody who is known to the server and may only read.
MAY_NOT_WRITE = frozenset({errno.EPERM, errno.EROFS})

#: Codes by which servers say that something is not there. A bucket is another matter.
_ABSENT = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NotFound"})
#: The caller is known and may not do this.
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403", "Forbidden"})
#: The caller is not known, or cannot prove who it is.
_UNKNOWN_CALLER = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
    "InvalidSecurity", "AuthorizationHeaderMalformed", "NotSignedUp", "AuthFailure",
    "InvalidClientTokenId",
})
_WRONG_TIME = frozenset({"RequestTimeTooSkewed"})
#: The condition could not be decided, as somebody else was writing.
_UNDECIDED = frozenset({"ConditionalRequestConflict"})
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "507"})
_NO_BUCKET = frozenset({"NoSuchBucket", "InvalidBucketName"})
_READ_ONLY = frozenset({"MethodNotAllowed", "405"})

_ROOM = "room for what the store writes", "make room, or have the quota raised; run again"
_KEY = ("credentials that this server knows",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; run again")
_CLOCK = "a clock near that of the server", "set the clock of this machine; run again"
_RIGHT = ("the right to do this",
          "let the owner of the bucket grant it, or use other credentials; run again")
_ANSWER = "an answer of the server", "check the network and AWS_ENDPOINT_URL; run again"
_LATER = "a server that is not too busy", "wait a little and run again"
_BUCKET = "a bucket of that name", "make the bucket, or correct the location or AWS_ENDPOINT_URL"
_ABLE = "a server that can do this", "keep the store on a disk or on another server"
_SOUND = "an answer that S3 would give", "check the server, or AWS_ENDPOINT_URL; run again"

#: What goes wrong before there is an answer, the narrower kinds first.
_KINDS: tuple[tuple[tuple[type[Exception], ...], int, tuple[str, str]], ...] = (
    ((TimeoutError, boto.ReadTimeoutError, boto.ConnectTimeoutError), errno.ETIMEDOUT, _ANSWER),
    ((boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound),
     errno.EACCES, _KEY),
    ((boto.ConnectionError, boto.HTTPClientError, aiohttp.ClientError),
     errno.ENETUNREACH, _ANSWER),
)


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise whatever botocore and s3fs raise as an `OSError` that says what to do.

    `FileNotFoundError` means that there is no such object, `FileExistsError` that a condition
    was not met.
    """
    try:
        yield
    except PlaceError:
        raise
    except (boto.BotoCoreError, boto.ClientError, aiohttp.ClientError, OSError) as error:
        # These libraries keep their errors in frames that the errors keep: all that called them
        # would stay, an open store among it, until the interpreter looks for such rings.
        raise _told(error) from error.with_traceback(None)


def _told(error: Exception) -> OSError:
    # s3fs gives an answer of the server as an OSError of its own, and the answer as its cause.
    answer = error.__cause__ if isinstance(error, OSError) else error
    if isinstance(answer, boto.ClientError):
        return _of_answer(answer)
    for kinds, number, then in _KINDS:
        if isinstance(error, kinds):
            return PlaceError(number, str(error) or "no answer in time", *then)
    if isinstance(error, OSError) and error.errno:
        return OSError(error.errno, str(error))
    return PlaceError(errno.EIO, str(error), *_SOUND)


def _of_answer(answer: boto.ClientError) -> OSError:
    said = answer.response.get("Error", {})
    code = str(said.get("Code", ""))
    status = int(answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    text = f"{code}: {said.get('Message') or answer}"
    if code in _ABSENT:
        return FileNotFoundError(errno.ENOENT, text)
    if status == 412 or code in _UNDECIDED:
        return FileExistsError(errno.EEXIST, text)
    for codes, number, then in (
        (_NO_BUCKET, errno.ENXIO, _BUCKET), (_DENIED, errno.EPERM, _RIGHT),
        (_READ_ONLY, errno.EROFS, _RIGHT), (_UNKNOWN_CALLER, errno.EACCES, _KEY),
        (_WRONG_TIME, errno.EACCES, _CLOCK), (_FULL, errno.ENOSPC, _ROOM),
    ):
        if code in codes:
            return PlaceError(number, text, *then)
    if status == 501:
        return PlaceError(errno.EOPNOTSUPP, text, *_ABLE, Code.STORE_UNSUPPORTED)
    if status in (409, 429) or status >= 500:
        return PlaceError(errno.EBUSY, text, *_LATER)
    return PlaceError(errno.EIO, text, *_SOUND)
