"""How the store tells that the file system refused, or that somebody may not see something."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pz_tsm_core.errors import Code, TransientError, TsmError, refuse
from pz_tsm_core.model.artifact import Access, Principal

#: A disk, a quota or a limit of file size that is used up.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: What may pass by waiting; a full disk or a missing right does not.
_PASSING = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT,
                      errno.ENETUNREACH, errno.ENOLCK})


#: Codes of an artifact that is not there whole, which a new run makes good.
LOST = frozenset({Code.STORE_MISSING, Code.STORE_CORRUPT})


@contextmanager
def io_errors(where: str) -> Iterator[None]:
    """Tell a refusal of the file system as one `store.io` error; the cause stays attached."""
    try:
        yield
    except OSError as error:
        problem = refuse(
            Code.STORE_IO, where, found=str(error),
            expected="a file system that takes and gives what the store asks",
            remedy="make room or mend the permission, then run the same command again",
        ).problems[0]
        passing = error.errno in _PASSING
        raise (TransientError(problem) if passing else TsmError(problem)) from error


def admit(principal: Principal, access: Access, where: str) -> None:
    """Refuse what the principal may not see."""
    if not access.admits(principal):
        raise refuse(
            Code.STORE_ACCESS, where, found=f"principal `{principal.name}`",
            expected=f"one who may see {access}",
            remedy="open the store as its owner, or with the data right",
        )
