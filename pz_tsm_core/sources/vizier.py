"""VizieR, by its own protocol (ASU): one request for the rows of a table, as a VOTable.

astroquery composes the requests and no more: its session asks once, holds a reply whole in memory
and keeps what was cut in a cache for a week. They go out through `Reach`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.sources._cones import Cone, cone_of
from pz_tsm_core.sources._replies import answer, bring
from pz_tsm_core.sources._sql import row_limit
from pz_tsm_core.sources._votable import Said, TableSaid, checked
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: Names the variable with the host of a mirror, of which VizieR has several.
MIRROR = "PZ_TSM_VIZIER"


class Vizier(Service):
    """Tables of VizieR: `table` is the full name, as in J/MNRAS/474/4151/wigglez.

    VizieR counts the rows of a table, and says of no region how many lie there: what it says with
    the reply must do.
    """

    name = "vizier"

    def look(self, ask: Ask) -> Offer:
        """Say what columns the table has, and how many rows; one request."""
        table = _only(answer(self.reach, f"{_address()}?{_name(ask)}&-meta.all",
                             partial(_said, where=_where(ask))), ask)
        # Positions that VizieR computes are not of the table, and told only when they are there.
        computed = {name: ColumnSaid() for name in ask.columns.values() if name.startswith("_")}
        rows = table.rows if _cone(ask) is None else None
        if rows is not None and (limit := row_limit(ask.wanted)):
            rows = min(rows, limit)
        return Offer(columns=computed | table.columns, rows=rows)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring the wanted columns of all rows, or of those in a cone around the region."""
        path = folder / "reply.xml"
        rows = bring(self.reach, f"{_address()}?{_query(ask)}", path,
                     partial(_rows_of, ask=ask, promised=offer.rows))
        if rows:
            yield Piece(path, "votable", rows=rows)


def _where(ask: Ask) -> str:
    return f"VizieR {ask.place.table}"


def _address() -> str:
    from astroquery.vizier import conf  # half a second

    return f"https://{os.environ.get(MIRROR) or conf.server}/viz-bin/votable"


def _name(ask: Ask) -> str:
    return f"-source={quote(ask.place.table, safe='')}"


def _cone(ask: Ask) -> Cone | None:
    """The part of the sky that is asked for; None for all of it."""
    return cone_of(ask.wanted) if ask.position else None


def _query(ask: Ask) -> str:
    """What is asked, as the query of a URL."""
    from astropy.coordinates import SkyCoord
    from astroquery.vizier import VizierClass

    vizier = VizierClass(columns=sorted(set(ask.columns.values())),
                         row_limit=row_limit(ask.wanted) or -1)
    cone = _cone(ask)
    if cone is None:
        script = vizier.get_catalogs(ask.place.table, get_query_payload=True)
    else:
        script = vizier.query_region(
            SkyCoord(cone.ra, cone.dec, unit="deg"), radius=f"{cone.radius:.6f}d", frame="icrs",
            catalog=ask.place.table, get_query_payload=True)
    # The script has one argument a line; ASU takes the same as a query, with its signs escaped.
    return "&".join("=".join(quote(part, safe="") for part in line.split("=", 1))
                    for line in script.split("\n"))


def _said(path: Path, *, where: str) -> Said:
    return checked(path, where=where, elsewhere=f"try later, or a mirror: set {MIRROR} to its host")


def _rows_of(path: Path, *, ask: Ask, promised: int | None) -> int:
    """How many rows came; an error when they are not all.

    Raises
    ------
    TsmError
        as `checked`; `service.incomplete` when VizieR left rows out, which it does not always say:
        a query that takes too long ends early.
    """
    said = _said(path, where=_where(ask))
    rows = said.count("matches")
    rows = _tags(path) if rows is None else rows
    over = said.status == "OVERFLOW" and row_limit(ask.wanted) is None
    if over or promised not in (None, rows):
        raise refuse(
            Code.SERVICE_INCOMPLETE, _where(ask), found=f"{rows:,} rows",
            expected="all rows" if promised is None else f"{promised:,} rows, as VizieR counts",
            remedy="ask for a region, or use another service")
    return rows


def _tags(path: Path) -> int:
    """Rows of a reply that does not say how many it has."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while block := file.read(2**20):
            count += (rest + block).count(b"<TR>")
            rest = block[-3:]  # the beginning of a tag, never all of it
    return count


def _only(said: Said, ask: Ask) -> TableSaid:
    """The table that is asked for; a refusal of a name that means none, or several."""
    names = [table.name for table in said.tables]
    if names != [ask.place.table]:
        raise refuse(
            Code.SERVICE_SCHEMA, _where(ask),
            found=f"{len(names)} tables" + (f": {', '.join(names)}" if names else ""),
            expected="one table of that name",
            remedy="name the tables in `sources` of the definition, each with a `part`")
    return said.tables[0]
