"""The database of GAMA DR3: a query answered by a page, which links to a FITS file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.sources._replies import answer, bring, cut, refuse_reply
from pz_tsm_core.sources._sql import around, plain, row_limit, select
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: FITS standard 4.0, section 3.1: files are made of blocks.
_BLOCK = 2880


class Gama(Service):
    """Tables of GAMA DR3, the release that astroquery knows: `table` as in SpecObj.

    The service neither describes its tables nor counts rows: the file alone tells.
    """

    name = "gama"

    def look(self, ask: Ask) -> Offer:
        """Say nothing but that the question can be asked; no request."""
        _question(ask)
        return Offer()

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:  # noqa: ARG002
        """Ask, and bring the file to which the answer leads."""
        from astroquery.gama import GAMAClass

        where, target = f"GAMA {ask.place.table}", folder / "result.fits"
        form = ask.place.url or GAMAClass.request_url
        link = answer(self.reach, form, partial(_link, where=where),
                      data={"query": _question(ask), "format": "fits"})
        bring(self.reach, urljoin(form, link), target, partial(_check_file, where=where))
        yield Piece(target, "fits")


def _question(ask: Ask) -> str:
    where = f"GAMA {ask.place.table}"
    names = ", ".join(plain(name, where) for name in sorted(set(ask.columns.values())))
    limit = row_limit(ask.wanted)
    return select(names, plain(ask.place.table, where),
                  around(ask.wanted, *ask.position) if ask.position else iter(()),
                  f"LIMIT {limit}" if limit else "")


def _link(path: Path, *, where: str) -> str:
    """Where the result is, as the page says."""
    from astroquery.gama.core import find_data_url

    try:
        return str(find_data_url(path.read_text("latin-1")))
    except ValueError:
        raise refuse(
            Code.SERVICE_REFUSED, where, found="a page without a link to a result",
            expected="a link to a FITS file",
            remedy="see at gama-survey.org/dr3/query whether the database answers, and whether it "
            "has the table and columns of `sources`") from None


def _check_file(path: Path, *, where: str) -> None:
    with path.open("rb") as file:
        start, size = file.read(6), file.seek(0, 2)
    if start != b"SIMPLE":
        refuse_reply(path, where, "a FITS file")
    if size % _BLOCK:
        raise cut(where, f"{size} bytes, which are no whole blocks of FITS")
