"""The NASA/IPAC Extragalactic Database: the main table of objects near a position."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.sources._cones import Cone, cone_of
from pz_tsm_core.sources._replies import bring
from pz_tsm_core.sources._votable import checked
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: Degrees: NED is made for objects and fields, and lists all that the literature knows there.
LARGEST = 0.5


class Ned(Service):
    """Objects of NED in a small region; `table` says no more than which search.

    The service neither describes its table nor counts rows: the reply alone tells.
    """

    name = "ned"

    def look(self, ask: Ask) -> Offer:
        """Say nothing but that the region is small enough; no request."""
        _cone(ask)
        return Offer()

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:  # noqa: ARG002
        """Bring all columns of the objects in a cone around the region."""
        target = folder / "reply.xml"
        said = bring(self.reach, _url(ask), target, partial(checked, where="NED"))
        if any(table.filled for table in said.tables):
            yield Piece(target, "votable")


def _cone(ask: Ask) -> Cone:
    """The cone around the region; a refusal of what NED is not made for."""
    cone = cone_of(ask.wanted) if ask.wanted.region or ask.wanted.moc else None
    if cone is None or cone.radius > LARGEST:
        raise refuse(
            Code.SERVICE_REFUSED, "NED",
            found="the whole sky" if cone is None else f"a cone of {cone.radius:.2f} deg",
            expected=f"a region within {LARGEST} deg of its middle",
            remedy="ask for a smaller region, such as `cone RA DEC 0.2`; for whole catalogues, use "
            "the surveys that NED has its redshifts from")
    return cone


def _url(ask: Ask) -> str:
    from astropy.coordinates import SkyCoord
    from astroquery.ipac.ned import NedClass

    ra, dec, radius = _cone(ask)
    asked = NedClass().query_region(SkyCoord(ra, dec, unit="deg"), radius=f"{radius:.6f}d",
                                    get_query_payload=True)
    return f"{ask.place.url or NedClass.OBJ_SEARCH_URL}?{urlencode(asked)}"
