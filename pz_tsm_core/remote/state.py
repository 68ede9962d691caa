"""What is at an address, and whether it has changed: one request, and no body."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from requests import Response, Session

from pz_tsm_core.remote.errors import plainly
from pz_tsm_core.remote.guard import shown
from pz_tsm_core.remote.validators import Edition, unless_unchanged

#: By which servers say that they know no HEAD, or not for what is behind a signature.
_NO_HEAD = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED,
            HTTPStatus.NOT_IMPLEMENTED}


@dataclass(frozen=True)
class Stated:
    """What a server says of a file before it is asked for it.

    Parameters
    ----------
    bytes : None where it does not say
    validator : to be handed in next time; empty where it has none
    unchanged : since the validator that was handed in
    resumable : whether a transfer that was cut may go on where it broke off
    """

    bytes: int | None
    validator: str
    unchanged: bool
    resumable: bool


def ask_state(session: Session, url: str, known: str = "") -> Stated:
    """Ask with HEAD, and where a server does not know it, for the first byte alone.

    Raises
    ------
    TsmError
        `service.*` or `remote.*`.
    """
    headers = {"Accept-Encoding": "identity", **unless_unchanged(known)}
    with plainly(shown(url)):
        with session.head(url, headers=headers, allow_redirects=True) as reply:
            if reply.status_code not in _NO_HEAD:
                return _stated(reply, known)
        first = {**headers, "Range": "bytes=0-0"}
        with session.get(url, headers=first, stream=True) as reply:
            return _stated(reply, known)


def _stated(reply: Response, known: str) -> Stated:
    reply.raise_for_status()
    edition = Edition.of(reply.headers)
    if reply.status_code == HTTPStatus.NOT_MODIFIED:
        return Stated(None, known, unchanged=True, resumable=bool(edition.if_range))
    ranges = (reply.status_code == HTTPStatus.PARTIAL_CONTENT
              or reply.headers.get("Accept-Ranges", "").strip().lower() == "bytes")
    return Stated(edition.bytes, edition.validator,
                  unchanged=bool(known) and edition.validator == known,
                  resumable=ranges and bool(edition.if_range))
