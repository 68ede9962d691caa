"""SQL for services that take it from anybody: names that are names, and the box around a region."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.surveys.enclosing import box_of

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def plain(name: str, where: str) -> str:
    """The name of a table or column, of which nothing could be read as more than a name.

    Raises
    ------
    TsmError
        `service.schema` for other text.
    """
    if not _NAME.fullmatch(name):
        raise refuse(Code.SERVICE_SCHEMA, where, found=f"the name `{name}`",
                     expected="letters, digits and underscores",
                     remedy="correct `sources` of the definition")
    return name


def select(what: str, table: str, conditions: Iterator[str], *then: str) -> str:
    """SELECT with conditions that must all hold."""
    held = " AND ".join(f"({condition})" for condition in conditions)
    return " ".join(filter(None, ("SELECT", what, "FROM", table, held and f"WHERE {held}", *then)))


def around(wanted: Wanted, ra: str, dec: str) -> Iterator[str]:
    """Conditions on columns in degrees that hold for all of the wanted region, and a little more.

    Raises
    ------
    TsmError
        `value.out-of-range` for a MOC that is none, or empty.
    """
    box = box_of(wanted)
    if box is not None:
        yield " OR ".join(f"{ra} BETWEEN {first:.9f} AND {last:.9f}" for first, last in box.ra)
        yield f"{dec} BETWEEN {box.dec[0]:.9f} AND {box.dec[1]:.9f}"


def row_limit(wanted: Wanted) -> int | None:
    """Rows after which a service may leave off; in a region whoever cuts its edge counts them."""
    return wanted.rows if wanted.region is None and not wanted.moc else None
