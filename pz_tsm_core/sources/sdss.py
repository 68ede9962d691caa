"""SkyServer, the SQL service of SDSS: a table in pages, each a strip of the sky, as CSV.

astroquery composes the requests; they go out through `Reach`. What the service does with them is
known from its published source: sciserver/SkyServerWS, and spExecuteSQL in sciserver/sqlloader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pz_tsm_core.errors import Code, Problem, TsmError, refuse
from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.sources._replies import ReplyError, answer, bring, cut, refuse_reply
from pz_tsm_core.sources._sql import around, plain, row_limit, select
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: Rows that the service gives at most (skyserver.sdss.org, Query Limits).
MOST_ROWS = 500_000

#: Types of SQL Server -> those of a definition.
KINDS = {
    **dict.fromkeys(("bigint", "int", "smallint", "tinyint", "numeric", "decimal"), "int"),
    **dict.fromkeys(("float", "real"), "float"), "bit": "bool",
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "text"), "text"),
}

#: Types that the service does not write as they are -> those that it does: it gives a real seven
#: digits, which is too few, and fails at a numeric of more than 28, as ids may have.
_WRITTEN = {"real": "float", "numeric": "varchar(40)", "decimal": "varchar(40)"}

_RELEASE = re.compile(r"(?:DR)?([1-9][0-9]*)", re.IGNORECASE)


class Strip(NamedTuple):
    """Rows with a right ascension from `first` (deg) to `last`, which is excluded.

    Parameters
    ----------
    first, last : None where there is no right ascension to tell rows by
    """

    first: int | None
    last: int | None
    rows: int


@dataclass(frozen=True)
class Plan(Offer):
    """What is there, and how it is asked for.

    Parameters
    ----------
    selected : the wanted columns, as SELECT takes them
    pages : what is asked for in one request each
    """

    selected: str = ""
    pages: tuple[Strip, ...] = ()


class Sdss(Service):
    """Tables of SkyServer: `table` as in SpecObjAll, `release` as in 17.

    The service gives no more than so many rows and leaves out the others without a word. So it is
    asked how many lie at each degree of right ascension, and then for strips with fewer: pages
    whose rows are known beforehand, and which stand for themselves when another one fails.
    """

    name = "sdss"

    def look(self, ask: Ask) -> Plan:
        """Say what columns the table has, and how many rows are asked for; two requests."""
        types = self._types(ask)
        said = {name: ColumnSaid.model_validate({"kind": KINDS.get(kind, ""), "unit": unit})
                for name, (kind, unit) in types.items()}
        if types.keys() != set(ask.columns.values()):
            return Plan(columns=said)  # no query could name the others
        selected = ", ".join(_selected(name, kind) for name, (kind, _) in types.items())
        pages = tuple(_enough(_packed(self._strips(ask), self.reach.limits.piece_rows), ask))
        return Plan(columns=said, rows=sum(page.rows for page in pages), selected=selected,
                    pages=pages)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring the pages one by one; those of a former try are not asked for again."""
        plan = offer if isinstance(offer, Plan) else self.look(ask)
        for page in plan.pages:
            target = folder / f"ra_{page.first}_{page.last}_{page.rows}.csv"
            sql = select(f"TOP {page.rows} {plan.selected}", _quoted(ask.place.table),
                         _conditions(ask, page))
            bring(self.reach, _url(ask, sql, "csv"), target,
                  partial(_check_page, where=_where(ask), rows=page.rows))
            yield Piece(target, "csv", rows=page.rows)

    def _types(self, ask: Ask) -> dict[str, tuple[str, str]]:
        """Type and unit of the wanted columns that there are, as they are spelt in the question."""
        table = plain(ask.place.table, "SkyServer")
        rows = self._told(ask, select("*", f"dbo.fDocColumns('{table}')", iter(())))
        if not rows:
            raise refuse(Code.SERVICE_SCHEMA, _where(ask), found="no such table",
                         expected="a table or view of this release",
                         remedy="correct `table` or `release` in `sources` of the definition")
        there = {row["name"].lower(): (row["type"].lower(), _unit(row["unit"])) for row in rows}
        wanted = sorted(set(ask.columns.values()))
        return {name: there[name.lower()] for name in wanted if name.lower() in there}

    def _strips(self, ask: Ask) -> list[Strip]:
        """How many of the wanted rows lie at each degree of right ascension, from west to east."""
        table = _quoted(ask.place.table)
        if ask.position is None:
            rows = self._told(ask, select("NULL AS ra, COUNT(*) AS n", table, iter(())))
        else:
            ra = f"FLOOR({_quoted(ask.position[0])})"
            rows = self._told(ask, select(f"{ra} AS ra, COUNT(*) AS n", table, _conditions(ask),
                                          f"GROUP BY {ra}"))
        counts = {row["ra"]: int(row["n"]) for row in rows}
        unplaced = Strip(None, None, counts.pop(None, 0))
        return [unplaced, *(Strip(int(degree), int(degree) + 1, counts[degree])
                            for degree in sorted(counts))]

    def _told(self, ask: Ask, sql: str) -> list[dict[str, Any]]:
        check = partial(_rows_of, where=_where(ask))
        return answer(self.reach, _url(ask, sql, "json"), check)


def _where(ask: Ask) -> str:
    return f"SkyServer DR{_release(ask)} {ask.place.table}"


def _url(ask: Ask, sql: str, format_: str) -> str:
    """The address of an answer, in one of the formats of the service."""
    from astroquery.sdss import SDSSClass, conf  # half a second

    release = _release(ask)
    asked = SDSSClass().query_sql(sql, data_release=release, get_query_payload=True)
    place = (ask.place.url or conf.skyserver_baseurl).rstrip("/")
    page = SDSSClass.QUERY_URL_SUFFIX_DR_NEW.format(dr=release)
    return f"{place}{page}?{urlencode({**asked, 'format': format_})}"


def _release(ask: Ask) -> int:
    found = _RELEASE.fullmatch(ask.place.release.strip())
    if not found or int(found[1]) < 12:
        raise refuse(Code.SERVICE_SCHEMA, f"SkyServer {ask.place.table}",
                     found=f"the release `{ask.place.release}`", expected="12 or later, as in `17`",
                     remedy="add `release` to `sources` of the definition")
    return int(found[1])


def _quoted(name: str) -> str:
    return f"[{plain(name, 'SkyServer')}]"


def _selected(name: str, kind: str) -> str:
    written = _WRITTEN.get(kind)
    value = f"CAST({_quoted(name)} AS {written})" if written else _quoted(name)
    return f"{value} AS {_quoted(name)}"


def _unit(unit: str | None) -> str:
    return "" if not unit or unit.strip().lower() in ("no unit", "none") else unit.strip()


def _conditions(ask: Ask, page: Strip | None = None) -> Iterator[str]:
    """What holds for the rows around the wanted region, and of these for the rows of a page."""
    if ask.position is not None:
        ra, dec = map(_quoted, ask.position)
        yield from around(ask.wanted, ra, dec)
        if page is not None:
            yield (f"{ra} IS NULL" if page.first is None
                   else f"{ra} >= {page.first} AND {ra} < {page.last}")


def _packed(strips: Iterable[Strip], most: int) -> Iterator[Strip]:
    """Neighbouring strips together, as long as they hold no more rows than that."""
    page = Strip(None, None, 0)
    for strip in strips:
        if page.first is not None and page.rows + strip.rows <= min(most, MOST_ROWS):
            page = Strip(page.first, strip.last, page.rows + strip.rows)
        else:
            yield page
            page = strip
    yield page


def _enough(pages: Iterable[Strip], ask: Ask) -> Iterator[Strip]:
    """The pages that hold rows; as many as are wanted, unless a region is cut from them later."""
    left = row_limit(ask.wanted)
    for page in pages:
        rows = page.rows if left is None else min(page.rows, left)
        left = None if left is None else left - rows
        if rows > MOST_ROWS:
            raise refuse(
                Code.SERVICE_INCOMPLETE, _where(ask), found=f"{rows:,} rows that one request "
                "must give", expected=f"no more than {MOST_ROWS:,}",
                remedy="use another service: the files of SDSS hold the same table")
        if rows:
            yield page._replace(rows=rows)


def _rows_of(path: Path, *, where: str) -> list[dict[str, Any]]:
    """The rows of an answer in JSON.

    Raises
    ------
    TsmError
        `service.refused`; as `ReplyError` also `service.unreachable`.
    """
    try:
        tables = json.loads(path.read_text("utf-8-sig"))
        rows = tables[0]["Rows"]
    except (ValueError, LookupError, TypeError):
        refuse_reply(path, where, "a table in JSON")
    if rows and "error_message" in rows[0]:
        raise _failure(where, str(rows[0]["error_message"]))
    return list(rows)


def _check_page(path: Path, *, where: str, rows: int) -> None:
    """Do nothing for a page with so many whole rows.

    Raises
    ------
    TsmError
        `service.refused`; as `ReplyError` also `service.unreachable`, `service.incomplete`.
    """
    with path.open("rb") as file:
        if not file.readline().startswith(b"#Table"):
            refuse_reply(path, where, "CSV that begins with #Table1")
        if file.readline().strip() == b"error_message":
            raise _failure(where, file.readline().decode(errors="replace").strip())
        lines, last = 0, b"\n"
        while block := file.read(2**20):
            lines, last = lines + block.count(b"\n"), block[-1:]
    if lines != rows or last != b"\n":
        raise cut(where, f"{lines:,} whole rows of {rows:,}")


def _failure(where: str, found: str) -> TsmError:
    """What the service says of a query that it did not carry out."""
    if "queries allowed per minute" in found:
        return ReplyError(Problem(Code.SERVICE_REFUSED, where, found, "rows", "wait a minute"))
    return refuse(Code.SERVICE_REFUSED, where, found=found, expected="rows",
                  remedy="correct `table` and `columns` in `sources` of the definition")
