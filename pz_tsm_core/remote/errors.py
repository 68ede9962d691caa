"""What the libraries of the network raise, told in the words of this one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from pz_tsm_core.errors import Code, Problem, TransientError, TsmError

#: Statuses of HTTP by which a service says: later.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class _Kind:
    """What went wrong, and what may be done.

    Parameters
    ----------
    found : in our words; empty where the library's own say more
    passes : whether waiting may cure it
    """

    code: Code
    expected: str
    remedy: str
    found: str = ""
    passes: bool = False


_SLOW = _Kind(
    Code.SERVICE_TIMEOUT, passes=True, found="no answer in time",
    expected="an answer within the limits", remedy="try later, or allow more time")
_AWAY = _Kind(
    Code.SERVICE_UNREACHABLE, passes=True, expected="a service that takes the connection",
    remedy="try later; see whether this machine may reach it, or needs a proxy (HTTPS_PROXY)")
_UNTRUSTED = _Kind(
    Code.SERVICE_UNREACHABLE, expected="a certificate that this machine trusts",
    remedy="set SSL_CERT_FILE or REQUESTS_CA_BUNDLE if the service has its own authority")
_CUT = _Kind(
    Code.SERVICE_INCOMPLETE, passes=True, found="a transfer that broke off",
    expected="all of the answer", remedy="try again")
_BUSY = _Kind(
    Code.SERVICE_REFUSED, passes=True, expected="an answer with data",
    remedy="try later: the service may be busy or out of order")
_REFUSED = _Kind(
    Code.SERVICE_REFUSED, expected="an answer with data",
    remedy="see whether the catalogue is still published there, and under this name")
_LOCKED = _Kind(
    Code.SERVICE_REFUSED, expected="data that anybody may read",
    remedy="give credentials, if it is yours to read")
_NOWHERE = _Kind(
    Code.REMOTE_FORBIDDEN, expected="an address that begins with https://, http:// or s3://",
    remedy="correct the address")

#: By the full name of the exception, so that no library is imported to name what it raises.
_KINDS: Mapping[str, _Kind] = {
    "aiohttp.client_exceptions.ClientConnectionError": _AWAY,
    "aiohttp.client_exceptions.ClientError": _REFUSED,
    "aiohttp.client_exceptions.ClientPayloadError": _CUT,
    "aiohttp.client_exceptions.InvalidURL": _NOWHERE,
    "aiohttp.client_exceptions.ServerTimeoutError": _SLOW,
    "botocore.exceptions.BotoCoreError": _REFUSED,
    "botocore.exceptions.ClientError": _LOCKED,  # for which S3 has 400 too
    "botocore.exceptions.ConnectTimeoutError": _SLOW,
    "botocore.exceptions.ConnectionError": _AWAY,
    "botocore.exceptions.HTTPClientError": _AWAY,
    "botocore.exceptions.IncompleteReadError": _CUT,
    "botocore.exceptions.NoCredentialsError": _LOCKED,
    "botocore.exceptions.ReadTimeoutError": _SLOW,
    "botocore.exceptions.ResponseStreamingError": _CUT,
    "builtins.ConnectionError": _AWAY,
    "builtins.TimeoutError": _SLOW,
    "http.client.HTTPException": _CUT,
    "pyvo.dal.exceptions.DALAccessError": _REFUSED,
    "requests.exceptions.ChunkedEncodingError": _CUT,
    "requests.exceptions.ConnectionError": _AWAY,
    "requests.exceptions.ContentDecodingError": _CUT,
    "requests.exceptions.InvalidSchema": _NOWHERE,
    "requests.exceptions.InvalidURL": _NOWHERE,
    "requests.exceptions.MissingSchema": _NOWHERE,
    "requests.exceptions.RequestException": _REFUSED,
    "requests.exceptions.Timeout": _SLOW,
    "socket.gaierror": _AWAY,
    "ssl.SSLCertVerificationError": _UNTRUSTED,
    "urllib3.exceptions.EmptyPoolError": _SLOW,
    "urllib3.exceptions.HTTPError": _AWAY,
    "urllib3.exceptions.LocationValueError": _NOWHERE,
    "urllib3.exceptions.NewConnectionError": _AWAY,
    "urllib3.exceptions.ProtocolError": _CUT,
    "urllib3.exceptions.SSLError": _CUT,
    "urllib3.exceptions.TimeoutError": _SLOW,
}

#: They decide wherever they stand among the causes; else the outermost does.
_DECISIVE = (_UNTRUSTED, _SLOW)


@contextmanager
def plainly(where: str) -> Iterator[None]:
    """Turn what HTTP, S3 and VO libraries raise into errors of the catalogue.

    What is no failure of the network is left as it is.

    Parameters
    ----------
    where : the service or address, as it is told to people

    Raises
    ------
    TsmError
        `service.refused`, `service.unreachable`, `remote.forbidden`; as `TransientError`
        `service.timeout`, `service.unreachable`, `service.incomplete`, `service.refused`.
    """
    try:
        yield
    except TsmError:
        raise
    except Exception as error:
        told = _told(error, where)
        if told is None:
            raise
        raise told from error


def passing(code: Code, where: str, *, found: str, expected: str, remedy: str) -> TransientError:
    """Return the error for a single failure that waiting may cure, to be raised by the caller."""
    return TransientError(Problem(code, where, found, expected, remedy))


def _told(error: Exception, where: str) -> TsmError | None:
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, TsmError):  # a refusal of ours that a library wrapped
            return each
    kinds = [kind for kind in map(_kind, chain) if kind is not None]
    if not kinds:
        return None
    kind = next((kind for kind in _DECISIVE if kind in kinds), kinds[0])
    # aiohttp says 400 of a body that broke off.
    status = None if kind is _CUT else next(filter(None, map(_status, chain)), None)
    if status is not None:
        locked = (401, 403) if kind is not _LOCKED else (400, 401, 403)
        kind = _BUSY if status in PASSING else _LOCKED if status in locked else _REFUSED
    found = _phrase(status) if status else kind.found or _words(chain)
    problem = Problem(kind.code, where, found, kind.expected, kind.remedy)
    return TransientError(problem) if kind.passes else TsmError(problem)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised for, outermost first; libraries keep it in many places."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        kept = getattr(each, "kwargs", None)
        waiting += [*each.args, getattr(each, "reason", None), getattr(each, "cause", None),
                    kept.get("error") if isinstance(kept, dict) else None,
                    each.__cause__, None if each.__suppress_context__ else each.__context__]


def _kind(error: BaseException) -> _Kind | None:
    for each in type(error).__mro__:
        if kind := _KINDS.get(f"{each.__module__}.{each.__qualname__}"):
            return kind
    # File systems over HTTP and S3 raise these of their own; those of a disk carry a number.
    if isinstance(error, FileNotFoundError) and error.errno is None:
        return _REFUSED
    if isinstance(error, PermissionError) and error.errno is None:
        return _LOCKED
    return None


def _status(error: BaseException) -> int | None:
    """Status of the HTTP reply that an exception tells of."""
    reply = getattr(error, "response", None)
    said = reply.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(reply, dict) else (
        getattr(reply, "status_code", None)  # of requests; then of aiohttp, and of pyvo
        or getattr(error, "status", None) or getattr(error, "code", None))
    return said if isinstance(said, int) and said >= HTTPStatus.BAD_REQUEST else None


def _phrase(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _words(chain: list[BaseException]) -> str:
    """What the system or the library says, without the addresses that libraries put before it."""
    for each in reversed(chain):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return " ".join(str(chain[0]).split())[:300] or type(chain[0]).__name__
