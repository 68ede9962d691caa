"""Folders of files that somebody else keeps: on this machine, on a web server, on S3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from pz_tsm_core.errors import Code, TransientError, TsmError, refuse
from pz_tsm_core.files import expanded
from pz_tsm_core.remote.errors import plainly
from pz_tsm_core.remote.guard import shown
from pz_tsm_core.remote.ranges import HttpRanges, RangedFile, Ranges, S3Ranges
from pz_tsm_core.remote.reach import Reach

if TYPE_CHECKING:
    from upath import UPath

#: Bytes of a file that says what a catalogue is; lists of partitions are the largest.
LARGEST = 64 * 2**20


class _Folder(ABC):
    """A folder, whose files are named by their paths below it.

    Parameters
    ----------
    where : its path or address, as it is told to people
    """

    where: str

    def read(self, name: str) -> bytes | None:
        """Give all of a small file; None where there is none.

        Raises
        ------
        TsmError
            `remote.limit` for a large one; `service.*`.
        """
        size = self._size(name)
        if size is not None and size > LARGEST:
            raise refuse(Code.REMOTE_LIMIT, f"{self.where}/{name}", found=f"{size:,} bytes",
                         expected=f"at most {LARGEST:,}", remedy="see whether it is a catalogue")
        return None if size is None else self._read(name)

    @abstractmethod
    def absent(self, name: str) -> TsmError:
        """The error for a file that `read` did not find and that must be there."""

    @abstractmethod
    def edition(self, name: str) -> str:
        """By what an edition of a file is told from others; empty where there is none."""

    @abstractmethod
    def file(self, name: str) -> Any:
        """Give a file as an object to read and seek in."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder below, sorted."""

    @abstractmethod
    def _size(self, name: str) -> int | None: ...

    @abstractmethod
    def _read(self, name: str) -> bytes: ...


class LocalFolder(_Folder):
    """A folder of this machine, or of whatever a `UPath` leads to."""

    def __init__(self, path: Path | UPath) -> None:
        self.path, self.where = path, str(path)

    def absent(self, name: str) -> TsmError:
        """That this is no catalogue."""
        found = f"no {name}" if self.path.is_dir() else "no such folder"
        return refuse(Code.CATALOG_INVALID, self.where, found=found,
                      expected="a HATS catalogue or collection", remedy="correct the path")

    def edition(self, name: str) -> str:
        """Size and time."""
        file = self.path / name
        facts = file.stat() if file.is_file() else None
        return f"{facts.st_size}-{facts.st_mtime}" if facts else ""

    def file(self, name: str) -> Any:
        """As the file system gives it, when it is read."""
        file = self.path / name
        return file if isinstance(file, Path) else file.open("rb")

    def names(self, folder: str) -> list[str]:
        """As the file system lists them."""
        return sorted(file.name for file in (self.path / folder).iterdir() if file.is_file())

    def _size(self, name: str) -> int | None:
        file = self.path / name
        return file.stat().st_size if file.is_file() else None

    def _read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


class RemoteFolder(_Folder):
    """What lies below an address; its files are read in parts."""

    def __init__(self, reach: Reach, url: str) -> None:
        self.reach, self.url = reach, url.rstrip("/")
        self.where = shown(self.url)
        self._files = reach.filesystem(self.url)
        self._opened: dict[str, Ranges] = {}
        self._refused: dict[str, TsmError] = {}

    def open(self, name: str) -> Ranges:
        """Ask for a file; one request.

        Raises
        ------
        TsmError
            `service.refused` where there is none; `service.*`, `remote.*`.
        """
        if self.url.startswith("s3://"):
            return S3Ranges(self.reach, f"{self.url}/{name}", self._files)
        return HttpRanges(self.reach, f"{self.url}/{quote(name, safe='/=')}")

    def absent(self, name: str) -> TsmError:
        """What the server said."""
        return self._refused[name]

    def edition(self, name: str) -> str:
        """What the server tells it by."""
        there = self._there(name)
        return f"{there.size}-{there.validator}" if there else ""

    def file(self, name: str) -> Any:
        """Read in parts, as they are asked for."""
        return RangedFile(self.open(name))

    def names(self, folder: str) -> list[str]:
        """As S3 lists them, or the links of a page."""
        self.reach.deadline.check(self.where)
        with plainly(self.where):
            paths = self._files.ls(f"{self.url}/{folder}/", detail=False,
                                   timeout=self.reach.deadline.left())
        return sorted(PurePosixPath(path).name for path in paths)

    def _there(self, name: str) -> Ranges | None:
        """The file; None where nothing is there, or nothing that may be read.

        S3 says of what is not there that it may not be read, to those who may not list.
        """
        if name not in self._opened:
            try:
                self._opened[name] = self.open(name)
            except TsmError as error:
                if error.codes != (Code.SERVICE_REFUSED,) or isinstance(error, TransientError):
                    raise
                self._refused[name] = error
        return self._opened.get(name)

    def _size(self, name: str) -> int | None:
        there = self._there(name)
        return there.size if there else None

    def _read(self, name: str) -> bytes:
        there = self._opened[name]
        return bytes(there.fetch(0, there.size))


Folder = LocalFolder | RemoteFolder


def open_folder(reach: Reach, url: str) -> Folder:
    """Give the folder at an address, or at a path of this machine.

    Raises
    ------
    TsmError
        `remote.*` for an address that may not be contacted; `service.*`.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return LocalFolder(Path(url2pathname(parts.path)))
    return RemoteFolder(reach, url) if "://" in url else LocalFolder(expanded(url))
