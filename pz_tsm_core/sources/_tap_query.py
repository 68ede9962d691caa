"""Queries to a TAP service: small answers as rows, large ones as files; jobs that always end."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from pz_tsm_core.errors import Code, TransientError, TsmError, refuse
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach, plainly
from pz_tsm_core.remote.errors import passing
from pz_tsm_core.sources._replies import bring, cut, refuse_reply
from pz_tsm_core.sources._votable import NotVOTableError, said_by
from pz_tsm_core.sources._votable_rows import Row, rows_of

if TYPE_CHECKING:
    from pyvo.dal.tap import AsyncTAPJob, TAPQuery

AnswerT = TypeVar("AnswerT")
Check = Callable[[Path], AnswerT]

#: Rows up to which a service is asked to answer at once.
AT_ONCE = 50_000
#: Rows of an answer that is held in memory.
SMALL = 20_000

#: Seconds between two looks at a job: at first, at most, and how they grow.
_SOON, _LATE, _SLOWER = 0.25, 5.0, 1.1
#: Bytes in which a service says why it refuses.
_REASON = 2**16
#: To take a job back: whoever waits for the end of a fetch waits for this as well.
_FAREWELL = FetchLimits(connect_seconds=2, stall_seconds=2, total_seconds=4, retries=0)

#: Phases of a job (UWS 1.1) after which it does nothing any more.
_OVER = {"COMPLETED", "ERROR", "ABORTED"}


class Queries:
    """Queries to one service.

    Parameters
    ----------
    url : base of the service
    where : the service and its table, for people
    """

    def __init__(self, reach: Reach, url: str, where: str) -> None:
        self._reach, self._url, self._where = reach, url, where

    def rows(self, adql: str, *, long: bool = False) -> list[Row]:
        """Give the rows of a small answer, with null as None and names in small letters.

        Parameters
        ----------
        long : the answer may take longer than services let people wait

        Raises
        ------
        TsmError
            `service.*` and `remote.*`; `service.refused` in the words of the service.
        """
        with TemporaryDirectory(prefix="pz-tsm-") as folder:
            return self._bring(self._query(adql, SMALL, at_once=not long),
                               Path(folder) / "answer.xml", partial(_rows, where=self._where))

    def file(self, adql: str, rows: int, target: Path) -> None:
        """Bring an answer of so many rows to disk, unless it is there already.

        Raises
        ------
        TsmError
            as `rows`; `service.incomplete` where the service leaves rows out.
        """
        if _is_whole(target, self._where):
            return
        # One row more than there should be, so that more than that is noticed.
        query = self._query(adql, rows + 1, at_once=rows <= AT_ONCE)
        self._bring(query, target, partial(_check, where=self._where))

    def _query(self, adql: str, most: int, *, at_once: bool) -> TAPQuery:
        from pyvo.dal.tap import TAPQuery

        return TAPQuery(self._url, adql, mode="sync" if at_once else "async", maxrec=most,
                        session=self._reach.session)

    def _bring(self, query: TAPQuery, target: Path, check: Check[AnswerT]) -> AnswerT:
        if query.queryurl.endswith("/async"):
            with self._job(query) as job:
                self._wait(job)
                result = job.result_uri or f"{job.url}/results/result"
                return bring(self._reach, result, target, check)
        try:
            return bring(self._reach, query.queryurl, target, check, data=dict(query))
        except TransientError:
            raise
        except TsmError as error:
            if not error.problems[0].found.startswith("HTTP"):
                raise
            raise self._in_its_words(query) or error from None

    @contextmanager
    def _job(self, query: TAPQuery) -> Iterator[AsyncTAPJob]:
        """A job that runs, and is taken back whatever happens."""
        from pyvo.dal.tap import AsyncTAPJob

        with plainly(self._where), query.submit() as reply:
            reply.raise_for_status()
            url = reply.url
        # That reply is closed now: pyvo's own way leaves it, and its connection, open.
        over = False
        try:
            job = self._patiently(lambda: AsyncTAPJob(url, session=self._reach.session))
            self._start(job)
            yield job
            over = True
        finally:
            _take_back(url, over=over)

    def _start(self, job: AsyncTAPJob) -> None:
        try:
            with plainly(self._where):
                job.run()
        except TsmError:
            # When it runs, it was the answer that got lost.
            if self._phase(job) == "PENDING":
                raise

    def _wait(self, job: AsyncTAPJob) -> None:
        """Wait until a job has rows; pyvo would wait for ever."""
        pause = _SOON
        while (phase := self._phase(job)) not in _OVER:
            time.sleep(min(pause, self._reach.deadline.left()))
            self._reach.deadline.check(f"{self._where}: a query that is {phase.lower()}")
            pause = min(_LATE, pause * _SLOWER)
        if phase == "ABORTED":
            raise passing(Code.SERVICE_REFUSED, self._where, found="a query that was aborted there",
                          expected="its rows", remedy="try later, or ask for a region: the service "
                          "may allow less time than the query takes")
        with plainly(self._where):
            job.raise_if_error()

    def _phase(self, job: AsyncTAPJob) -> str:
        return str(self._patiently(lambda: job.phase))

    def _patiently(self, look: Callable[[], AnswerT]) -> AnswerT:
        """What a look at a job gives; an answer that was cut is asked for again."""

        def once() -> AnswerT:
            with plainly(self._where), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    return look()
                except ValueError as error:  # of parsing
                    raise passing(Code.SERVICE_REFUSED, self._where, found=str(error),
                                  expected="a job as UWS tells it", remedy="try later") from None

        def enough(state: RetryCallState) -> bool:
            return (state.attempt_number > self._reach.limits.retries
                    or state.upcoming_sleep >= self._reach.deadline.left())

        again = Retrying(retry=retry_if_exception_type(TransientError), stop=enough, reraise=True,
                         wait=wait_random_exponential(multiplier=_SOON, max=_LATE))
        return again(once)

    def _in_its_words(self, query: TAPQuery) -> TsmError | None:
        """What the service says of a query that it refused; None where it gives no reason.

        It stands in the body of an error, which no download keeps.
        """
        with TemporaryDirectory(prefix="pz-tsm-") as folder, plainly(self._where):
            path = Path(folder) / "reason.xml"
            with self._reach.session.post(query.queryurl, data=query, stream=True) as reply:
                path.write_bytes(reply.raw.read(_REASON, decode_content=True))
            try:
                _check(path, where=self._where)
            except TsmError as error:
                return error if error.codes == (Code.SERVICE_REFUSED,) else None
        return None


@contextmanager
def understood(where: str) -> Iterator[None]:
    """Refuse small answers that have other rows, columns or values than were asked for."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(Code.SERVICE_REFUSED, where, found=f"an answer of another shape: {error}",
                     expected="the columns and rows that were asked for",
                     remedy="tell those who run the service") from None


def _take_back(url: str, *, over: bool) -> None:
    """Stop a job and have it forgotten: in a few seconds, or by whoever runs the service."""
    session = Reach(_FAREWELL).session
    with suppress(TsmError), plainly(url):
        if not over:
            session.post(f"{url}/phase", data={"PHASE": "ABORT"}, allow_redirects=False)
        session.delete(url, allow_redirects=False)


def _is_whole(path: Path, where: str) -> bool:
    """Whether an answer is there from a former try; one that is not whole is removed."""
    try:
        _check(path, where=where)
    except FileNotFoundError:
        return False
    except TsmError:
        path.unlink()
        return False
    return True


def _rows(path: Path, *, where: str) -> list[Row]:
    _check(path, where=where)
    try:
        return rows_of(path)
    except NotVOTableError as error:
        raise refuse(Code.SERVICE_REFUSED, where, found=str(error), expected="a small VOTable",
                     remedy="tell those who run the service") from None


def _check(path: Path, *, where: str) -> None:
    """Refuse a reply that is no VOTable, or not all.

    Raises
    ------
    TsmError
        `service.refused`, `service.incomplete`; as `ReplyError` where the next may be whole.
    """
    try:
        said = said_by(path)
    except NotVOTableError as error:
        if _is_votable(path):
            raise cut(where, str(error)) from None
        refuse_reply(path, where, "a VOTable")
    if said.errors:
        raise refuse(Code.SERVICE_REFUSED, where, found="; ".join(dict.fromkeys(said.errors)),
                     expected="rows", remedy="compare the definition with what the service has")
    if said.status == "OVERFLOW":
        raise refuse(Code.SERVICE_INCOMPLETE, where, found="not all rows, as the service says",
                     expected="all rows", remedy="ask for fewer at a time (piece_rows)")


def _is_votable(path: Path) -> bool:
    with path.open("rb") as file:
        return b"VOTABLE" in file.read(2**10)
