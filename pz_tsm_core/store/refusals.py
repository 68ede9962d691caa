"""How the store tells that the place refused, or that somebody may not see something."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pz_tsm_core.errors import Code, Problem, TransientError, TsmError, refuse
from pz_tsm_core.model.artifact import Access, Principal

#: A disk, a quota or a limit of file size that is used up.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: What may pass by waiting; a full disk or a missing right does not.
_PASSING = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT,
                      errno.ENETUNREACH, errno.ENOLCK})


#: Codes of an artifact that is not there whole, which a new run makes good.
LOST = frozenset({Code.STORE_MISSING, Code.STORE_CORRUPT})


class PlaceError(OSError):
    """A refusal of a place that is no file system, which says what to do about it.

    Parameters
    ----------
    number : of `errno`; tells whether waiting may help
    found, expected, remedy, code : as in `errors.Problem`
    """

    def __init__(
        self, number: int, found: str, expected: str, remedy: str, code: Code = Code.STORE_IO
    ) -> None:
        super().__init__(number, found)
        self.expected, self.remedy, self.code = expected, remedy, code

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def io_errors(where: str) -> Iterator[None]:
    """Tell a refusal of the place as one `store.io` error; the cause stays attached."""
    try:
        yield
    except PlaceError as error:
        problem = Problem(error.code, where, str(error), error.expected, error.remedy)
        raise _passing_or_not(error, problem) from error
    except OSError as error:
        problem = Problem(
            Code.STORE_IO, where, str(error),
            "a file system that takes and gives what the store asks",
            "make room or mend the permission, then run the same command again",
        )
        raise _passing_or_not(error, problem) from error


def _passing_or_not(error: OSError, problem: Problem) -> TsmError:
    return TransientError(problem) if error.errno in _PASSING else TsmError(problem)


def admit(principal: Principal, access: Access, where: str) -> None:
    """Refuse what the principal may not see."""
    if not access.admits(principal):
        raise refuse(
            Code.STORE_ACCESS, where, found=f"principal `{principal.name}`",
            expected=f"one who may see {access}",
            remedy="open the store as its owner, or with the data right",
        )
