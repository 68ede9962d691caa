"""One file that is here already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.files import expanded
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service


class File(Service):
    """A local file: `url` is its path, or begins with file://; `table` names one of several in it.

    It is read where it is, and neither copied nor changed.
    """

    name = "file"

    def look(self, ask: Ask) -> Offer:
        """Say how large the file is, and whether it has changed: by its size, time and inode."""
        path = _path(ask.place.url)
        facts = path.stat()
        validator = f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ino}"
        return Offer(bytes=facts.st_size, validator=validator, unchanged=validator == ask.known)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:  # noqa: ARG002
        """Lend the file."""
        yield Piece(_path(ask.place.url), table=ask.place.table or None, lent=True)


def _path(url: str) -> Path:
    parts = urlsplit(url) if url.lower().startswith("file:") else None
    path = Path(url2pathname(parts.path)) if parts else expanded(url)
    elsewhere = parts is not None and parts.netloc not in ("", "localhost")
    if elsewhere or not path.is_file():
        found = "a file of another machine" if elsewhere else \
            "a folder" if path.is_dir() else "no such file"
        raise refuse(Code.FILE_MISSING, url, found=found, expected="a file on this machine",
                     remedy="correct the path")
    return path
