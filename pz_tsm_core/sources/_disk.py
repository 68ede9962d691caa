"""Writing what comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pz_tsm_core.errors import Code, refuse


@contextmanager
def on_disk(target: Path) -> Iterator[None]:
    """Tell in our words when the file system refuses: a full disk, a folder that is not ours.

    Raises
    ------
    TsmError
        `store.io`.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a library's own, of what it read
            raise
        raise refuse(
            Code.STORE_IO, str(target), found=error.strerror or str(error),
            expected="a folder with room, that can be written to",
            remedy="make room there, or name another",
        ) from error
