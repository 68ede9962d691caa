"""Compressed files: known by their first bytes, unfolded as a stream and never beyond a limit."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

import pyarrow as pa

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.readers.scratch import scratch
from pz_tsm_core.readers.source import Source

CHUNK = 2**20

#: Unfolded bytes below which the ratio says nothing: a short file of zeros is no attack.
FREE = 64 * 2**20

#: The list of members of an archive that is asked to hold one; `zipfile` reads it in one piece.
MAX_DIRECTORY = 2**20

#: What the libraries raise on bytes that are cut short or altered.
_BROKEN = (EOFError, OSError, ValueError, NotImplementedError, zlib.error, lzma.LZMAError,
           zipfile.BadZipFile, pa.ArrowException)


class Stream(Protocol):
    """What unfolded bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


@dataclass(frozen=True)
class Compression:
    """A way to compress a file.

    Parameters
    ----------
    suffix : ending that comes after that of the format
    magic : what the first bytes look like
    open : gives the unfolded stream
    """

    suffix: str
    magic: re.Pattern[bytes]
    open: Callable[[Source], AbstractContextManager[Stream]]


@contextmanager
def unfolded(
    source: Source, format_of: Callable[[str], str]
) -> Iterator[tuple[Source, str]]:
    """The source, or what it unfolds to; and its format.

    Parameters
    ----------
    format_of : tells the format by the name without the ending of a compression, or refuses it;
        asked before anything is unfolded

    Raises
    ------
    TsmError
        `file.limit` for what unfolds to too much, `file.damaged` for what is cut short or no
        archive, `file.format` for an archive of several files or with a password.
    """
    kind = _recognise(source)
    if kind is None:
        yield source, format_of(Path(source.where).name)
        return
    with scratch() as (file, path):
        try:
            with kind.open(source) as stream:
                name = format_of(_member_name(stream) or _bare(Path(source.where).name))
                _copy(stream, file, source)
        except _BROKEN as error:
            raise _refusal(source, error) from None
        yield replace(source, path=path), name


def _bare(name: str) -> str:
    """The name without the ending of a compression, if it has one, and be it of another."""
    return next((name[: -len(kind.suffix)] for kind in COMPRESSIONS
                 if name.lower().endswith(kind.suffix)), name)


def _refusal(source: Source, error: Exception) -> TsmError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return refuse(Code.STORE_IO, source.where, found=error.strerror or str(error),
                      expected="room for the unfolded file in the folder for temporary files",
                      remedy="make room there, name another in TMPDIR, or unfold the file yourself")
    return source.damaged(f"bytes that cannot be unfolded: {error}")


def _recognise(source: Source) -> Compression | None:
    with source.path.open("rb") as file:
        start = file.read(16)
    for kind in COMPRESSIONS:
        if kind.magic.match(start):
            return kind
    named = next((k for k in COMPRESSIONS if source.where.lower().endswith(k.suffix)), None)
    if named:
        raise source.damaged(f"bytes that are not compressed as the ending {named.suffix} says")
    return None


def _copy(stream: Stream, file: BinaryIO, source: Source) -> None:
    size, taken = source.path.stat().st_size, 0
    end = time.monotonic() + source.limits.max_seconds
    most = min(source.limits.max_expansion, max(FREE, source.limits.max_ratio * size))
    while chunk := stream.read(CHUNK):
        taken += len(chunk)
        if taken > most:
            raise source.too_large(f"{size} bytes that unfold to more than {most}", f"{most} bytes")
        if time.monotonic() > end:
            raise source.too_slow("unfolding it", source.limits.max_seconds)
        file.write(chunk)
    file.flush()


@contextmanager
def _zstd(source: Source) -> Iterator[Stream]:
    with pa.CompressedInputStream(str(source.path), "zstd") as stream:
        yield stream


@contextmanager
def _zip(source: Source) -> Iterator[Stream]:
    """The one member of an archive; its path names the format and never leads anywhere."""
    with _Archive(source) as file, zipfile.ZipFile(file) as archive:
        # What macOS adds on the side is nobody's table.
        members = [member for member in archive.infolist()
                   if not member.is_dir() and not member.filename.startswith("__MACOSX/")]
        if len(members) != 1 or members[0].flag_bits & 1:
            found = f"an archive of {len(members)} files" if len(members) != 1 else "a password"
            raise source.unsupported(found, "a .zip with one table in it, free to read",
                                     "unpack it, and name the table")
        with archive.open(members[0]) as stream:
            yield stream


class _Archive(io.FileIO):
    """A file of which `zipfile` never takes more than a list of members of sane length."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.path)
        self._source = source

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._source.path.stat().st_size - self.tell()
        asked = left if size is None or size < 0 else min(size, left)
        if asked > MAX_DIRECTORY:
            raise self._source.too_large(f"a list of members of {asked} bytes",
                                         f"{MAX_DIRECTORY} bytes")
        return super().read(asked)


def _member_name(stream: Stream) -> str | None:
    """Name of the file in the archive; None where a compression knows of none."""
    if isinstance(stream, zipfile.ZipExtFile):
        return PurePosixPath(str(stream.name)).name
    return None


COMPRESSIONS = (
    Compression(".gz", re.compile(rb"\x1f\x8b"), lambda source: gzip.GzipFile(source.path)),
    Compression(".bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
                lambda source: bz2.BZ2File(source.path)),
    Compression(".xz", re.compile(rb"\xfd7zXZ\0"),
                lambda source: lzma.LZMAFile(source.path)),  # noqa: SIM115 - the caller closes it
    Compression(".zst", re.compile(rb"\x28\xb5\x2f\xfd"), _zstd),
    Compression(".zip", re.compile(rb"PK(\x03\x04|\x05\x06)"), _zip),
)
