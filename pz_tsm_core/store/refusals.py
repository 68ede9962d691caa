"""How the store tells that the file system refused."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pz_tsm_core.errors import Code, TransientError, TsmError, refuse

#: A disk, a quota or a limit of file size that is used up.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: What may pass by waiting; a full disk or a missing right does not.
_PASSING = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT,
                      errno.ENETUNREACH, errno.ENOLCK})


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
