"""Replies of services that compute them: brought to disk, looked through, and used only if whole.

They come without length or ETag, so that a cut reply looks like a short one, and a page of
maintenance like an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from pz_tsm_core.errors import Code, Problem, TransientError, TsmError
from pz_tsm_core.remote import Reach

AnswerT = TypeVar("AnswerT")

#: Seconds before a reply that was cut is asked for again, at most; then twice as long each time.
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 60.0

#: How a page for people begins, which servers send with a status that says all is well.
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+)?html\b",
                   re.IGNORECASE | re.DOTALL)

#: Of a text that came instead of a table, so much is told.
_TOLD = 300


class ReplyError(TransientError):
    """A reply that is not what it should be, where the next one may be."""


def bring(
    reach: Reach,
    url: str,
    target: Path,
    check: Callable[[Path], AnswerT],
    *,
    data: Mapping[str, Any] | None = None,
) -> AnswerT:
    """Bring a reply to disk, unless a former try has, and give what `check` makes of it.

    Parameters
    ----------
    check : looks the reply through and raises what is wrong with it; a reply that it refuses is
        thrown away, and after `ReplyError` asked for again
    data : sent as a form; by default the address is all there is to ask

    Raises
    ------
    TsmError
        as `Reach.download`, and as `check`.
    """

    def once() -> AnswerT:
        if not target.exists():
            reach.download(url, target, method="POST" if data else "GET", data=data)
        try:
            return check(target)
        except TsmError:
            target.unlink()
            raise

    def enough(state: RetryCallState) -> bool:
        return (state.attempt_number > reach.limits.retries
                or state.upcoming_sleep >= reach.deadline.left())

    again = Retrying(retry=retry_if_exception_type(ReplyError), stop=enough, reraise=True,
                     wait=wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT))
    return again(once)


def answer(reach: Reach, url: str, check: Callable[[Path], AnswerT], **order: Any) -> AnswerT:
    """Give what `check` makes of a small reply, which is not kept."""
    with TemporaryDirectory(prefix="pz-tsm-") as folder:
        return bring(reach, url, Path(folder) / "reply", check, **order)


def is_page(path: Path) -> bool:
    """Whether a file is a page for people (HTML)."""
    with path.open("rb") as file:
        return _PAGE.match(file.read(2**12)) is not None


def refuse_reply(path: Path, where: str, expected: str) -> NoReturn:
    """Refuse what came instead of a table: a page for people, or a text.

    Raises
    ------
    ReplyError
        `service.unreachable` for a page, as of maintenance or of a network that wants a login;
        `service.refused` for another text.
    """
    with path.open("rb") as file:
        text = file.read(2**16).decode(errors="replace")
    page = is_page(path)
    raise ReplyError(Problem(
        Code.SERVICE_UNREACHABLE if page else Code.SERVICE_REFUSED, where,
        found=f"a page instead: {_title(text)}" if page else f"instead: {_plain(text)}",
        expected=expected,
        remedy="try later: the service may be in maintenance; open its page in a browser"))


def cut(where: str, found: str) -> ReplyError:
    """Return the error for a reply that ended too early, to be raised by the caller."""
    return ReplyError(Problem(
        Code.SERVICE_INCOMPLETE, where, found, expected="all of the reply",
        remedy="try again; if it ends there every time, ask for a region"))


def _title(page: str) -> str:
    """What a page is called, else how it begins."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    return (title and _plain(title[1])) or _plain(page)


def _plain(text: str) -> str:
    words = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(words.split())[:_TOLD] or "nothing"
