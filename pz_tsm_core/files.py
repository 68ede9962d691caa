"""Files by themselves: read as documents, known by their bytes."""

from __future__ import annotations

import errno
import hashlib
import os
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.document import Document, parse_document


def read_document(path: Path | Traversable, *, code: Code | None = None) -> Document:
    """Read and parse a YAML file, from disk or from the package.

    Raises
    ------
    TsmError
        `file.missing` when it cannot be read as text; as `parse_document`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        raise refuse(Code.FILE_MISSING, str(path), found=found, expected="a text file in UTF-8",
                     remedy="correct the path or the file") from None
    return parse_document(text, path.name, code=code)


def digest_file(file: str | Path) -> str:
    """sha256 of a file's bytes, read anew only when its size or time has changed.

    Raises
    ------
    TsmError
        `file.missing` when there is no such file or it cannot be read.
    """
    try:
        stat = _regular(Path(file))
        return _digest(str(file), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError as error:
        raise refuse(
            Code.FILE_MISSING, str(file), found=error.strerror or str(error),
            expected="a file that can be read", remedy="correct the path",
        ) from None


def _regular(file: Path) -> os.stat_result:
    """Facts of a file; an OSError for a pipe or a device, which would be read for ever."""
    if not file.is_file() and file.exists():
        raise OSError(errno.EINVAL, "a folder" if file.is_dir() else "no regular file")
    return file.stat()


@lru_cache(maxsize=1024)
def _digest(file: str, _size: int, _mtime_ns: int, _inode: int) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def expanded(path: str | Path) -> Path:
    """The path with `~` and `~user` as folders; left as it is where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
