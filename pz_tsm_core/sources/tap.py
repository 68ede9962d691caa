"""Any service of the Table Access Protocol (IVOA TAP 1.0 and 1.1), by pyvo.

Services cut long answers and stop long queries: rows are counted first, and a long table is
brought in pieces, each by a job of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.remote import Reach
from pz_tsm_core.remote.errors import passing
from pz_tsm_core.sources._adql import Column, Tables, find, in_box, select
from pz_tsm_core.sources._pieces import Slice, cut
from pz_tsm_core.sources._tap_query import Queries, understood
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service
from pz_tsm_core.surveys.enclosing import box_of

#: Rows of a table over which a count may take longer than services let people wait.
LONG = 2_000_000


class Tap(Service):
    """Tables of TAP services: `url` is the service, `table` a table, or several that are joined.

    Of a region all rows in the box around it are brought. TAP does not say whether a table has
    changed: there is no validator.
    """

    name = "tap"

    def look(self, ask: Ask) -> Offer:
        """Say what columns there are, and how many rows are asked for; two requests."""
        there = _There(self.reach, ask)
        if not there.complete:
            return Offer(there.said)
        rows = there.count()
        return Offer(there.said, rows=min(rows, there.top or rows))

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring the rows, in pieces where they are many; a piece that is there already stays."""
        there = _There(self.reach, ask)
        for adql, rows in there.queries(offer.rows or 0):
            path = folder / f"{sha256(f'{rows} {adql}'.encode()).hexdigest()[:16]}.xml"
            there.service.file(adql, rows, path)
            yield Piece(path, "votable", rows=rows)


class _There:
    """What is asked for, in the words of the service."""

    def __init__(self, reach: Reach, ask: Ask) -> None:
        self._ask, self._most = ask, reach.limits.piece_rows
        self._where = f"TAP {ask.place.url} {ask.place.table}"
        self.service = Queries(reach, ask.place.url, self._where)
        tables = Tables(ask.place.table)
        with understood(self._where):
            schema = self.service.rows(tables.schema_query)
            if missing := tables.missing(schema):
                raise refuse(
                    Code.SERVICE_SCHEMA, self._where, found=f"no table {', '.join(missing)}",
                    expected="what stands in its TAP_SCHEMA",
                    remedy="correct `table` in the definition, with the schema before it")
            self._clause, known = tables.clause(schema), tables.columns(schema)
        self._columns = {name: column for name in sorted(set(ask.columns.values()))
                         if (column := find(known, name))}

    @property
    def said(self) -> dict[str, ColumnSaid]:
        """What the service says of the columns that are asked for."""
        return {name: column.said for name, column in self._columns.items()}

    @property
    def complete(self) -> bool:
        """Whether the service has all that is asked for."""
        return len(self._columns) == len(set(self._ask.columns.values()))

    @property
    def top(self) -> int | None:
        """Rows that are enough; in a region whoever cuts its edge counts them."""
        wanted = self._ask.wanted
        return wanted.rows if wanted.region is None and not wanted.moc else None

    def count(self) -> int:
        """Rows in the box that is asked for, or all."""
        query = select(["COUNT(*) AS n"], self._clause, self._conditions())
        with understood(self._where):
            [row] = self.service.rows(query)
            return int(row["n"])

    def queries(self, rows: int) -> Iterator[tuple[str, int]]:
        """Yield queries that give so many rows together, and how many each of them gives."""
        what = [column.adql for column in self._columns.values()]
        for one in self._slices(rows):
            if not rows:
                return
            few = min(one.rows, rows)
            yield select(what, self._clause, one.conditions, few if few < one.rows else None), few
            rows -= few

    def _slices(self, rows: int) -> list[Slice]:
        whole = Slice(self._conditions(), self.count() if self.top else rows)
        if rows <= self._most:
            return [whole]
        with understood(self._where):
            slices = cut(whole, self._clause, self._dividers(), self._most,
                         partial(self.service.rows, long=rows > LONG))
        if (found := sum(one.rows for one in slices)) != whole.rows:
            raise passing(Code.SERVICE_INCOMPLETE, self._where, found=f"{found:,} rows in pieces",
                          expected=f"the {whole.rows:,} rows that it counted before",
                          remedy="try again: the table may have been changed meanwhile")
        return slices

    def _dividers(self) -> list[Column]:
        """Columns by which a long table is cut, the best first: what is indexed, then where."""
        ra, dec = self._ask.position or ("", "")
        numbers = [(not column.indexed, name != dec, name != ra, name)
                   for name, column in self._columns.items() if column.said.kind == "float"]
        return [self._columns[name] for *_, name in sorted(numbers)]

    def _conditions(self) -> tuple[str, ...]:
        box = box_of(self._ask.wanted)
        if box is None or self._ask.position is None:
            return ()
        ra, dec = (self._columns[name] for name in self._ask.position)
        return tuple(in_box(box, ra, dec))
