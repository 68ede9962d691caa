"""One file, by its address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.remote import shown
from pz_tsm_core.sources._replies import is_page
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: What may be the ending of a format or a compression, and what made the reply and says nothing.
_ENDING = re.compile(r"[^.]\.([a-z]{2,8}5?|h5|bz2)$", re.IGNORECASE)
_OF_PROGRAMS = re.compile(r"\.(php5?|aspx?|cgi|jsp|pl|py|html?)$", re.IGNORECASE)


class Https(Service):
    """A file behind https:// (or http://, where nobody offers more).

    `table` names one of several tables in it. All columns and all of the sky come: a file server
    selects nothing.
    """

    name = "https"

    def look(self, ask: Ask) -> Offer:
        """Say how large the file is, and whether it has changed; one request."""
        stated = self.reach.state(ask.place.url, ask.known)
        return Offer(bytes=stated.bytes, validator=stated.validator, unchanged=stated.unchanged)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring the file; a cut transfer goes on where it broke off, if the server allows it."""
        url = ask.place.url
        named = _file_name(urlsplit(url).path)
        came = self.reach.download(url, folder / (named or "file"), validator=offer.validator)
        path = came.path if named else came.path.rename(folder / (_file_name(came.name) or "file"))
        if is_page(path):
            path.unlink()
            raise refuse(
                Code.SERVICE_REFUSED, shown(url), found="a page for people (HTML)",
                expected="a file with a table",
                remedy="give the address of the file itself, as the page links to it; if it is "
                       "that, the service may be in maintenance: try later")
        yield Piece(path, table=ask.place.table or None)


def _file_name(path: str) -> str:
    """A safe name for a file that readers tell the format of; empty without an ending that says it.

    `v2.0` and `get.php` have none.
    """
    name = PurePosixPath(unquote(path)).name
    known = _ENDING.search(name) and not _OF_PROGRAMS.search(name)
    return re.sub(r"[^\w.+-]", "_", name)[-100:].lstrip(".") if known else ""
