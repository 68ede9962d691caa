"""What a service says in a VOTable besides the rows: its columns, counts, warnings and errors.

The rows are left to the readers; here they are cut out, so that a reply of gigabytes is looked
through at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO
from xml.parsers import expat

from pz_tsm_core.errors import Code, Problem, TsmError, refuse
from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.sources._replies import ReplyError, cut, is_page, refuse_reply

#: Bytes before and after the rows among which everything else must stand.
EDGE = 4 * 2**20

#: VOTable 1.5, section 2.1, in the words of a definition.
KINDS: Mapping[str, str] = MappingProxyType({
    "boolean": "bool", "bit": "bool", "unsignedByte": "int", "short": "int", "int": "int",
    "long": "int", "float": "float", "double": "float", "char": "text", "unicodeChar": "text",
})

#: In what services say of a failure: their database is away, and will be back.
_AWAY = re.compile(r"not currently reachable|connect|time.?out|too many", re.IGNORECASE)


class NotVOTableError(ValueError):
    """Bytes that are no VOTable, or only the beginning of one."""


@dataclass
class Note:
    """One INFO or PARAM: its name, its value, and what else stands in it."""

    name: str
    value: str
    text: str = ""


@dataclass(frozen=True)
class TableSaid:
    """A TABLE without its rows.

    Parameters
    ----------
    rows : that the whole of it has, where the service says so; a reply may hold fewer
    filled : whether the document has rows of it
    """

    name: str
    rows: int | None
    columns: dict[str, ColumnSaid] = field(default_factory=dict)
    filled: bool = False


@dataclass(frozen=True)
class Said:
    """A VOTable without its rows."""

    notes: tuple[Note, ...]
    tables: tuple[TableSaid, ...]

    @property
    def status(self) -> str:
        """The last word on the query: OK, ERROR, OVERFLOW; empty where it is not said (DALI)."""
        return next((note.value.upper() for note in reversed(self.notes)
                     if note.name == "QUERY_STATUS"), "")

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong, in the service's words; empty if nothing did."""
        told = [note.value for note in self.notes if note.name.lower() == "error"]
        if self.status == "ERROR" and not told:
            told = [note.text or note.value for note in self.notes if note.name == "QUERY_STATUS"]
        return tuple(filter(None, (" ".join(text.split()) for text in told)))

    def count(self, name: str) -> int | None:
        """The number that the service notes under a name."""
        return next((count for note in self.notes
                     if note.name == name and (count := _count(note.value)) is not None), None)


def said_by(path: Path) -> Said:
    """Read what a VOTable says besides its rows.

    Raises
    ------
    NotVOTableError
        for another format, and for a document that ends before its end.
    """
    scan = _Scan()
    with path.open("rb") as file:
        for part in _without_rows(file):
            scan.feed(part)
    return scan.said()


def checked(path: Path, *, where: str, elsewhere: str = "try later") -> Said:
    """Read what a reply says besides its rows, and refuse one that is no whole VOTable of rows.

    Parameters
    ----------
    elsewhere : what to do while the service is away

    Raises
    ------
    TsmError
        `service.refused` for what the service calls an error; as `ReplyError`
        `service.unreachable` for a page, and `service.incomplete` for a beginning.
    """
    try:
        said = said_by(path)
    except NotVOTableError as error:
        if _is_xml(path) and not is_page(path):
            raise cut(where, str(error)) from None
        refuse_reply(path, where, "a VOTable")
    if said.errors:
        raise _failure(where, "; ".join(dict.fromkeys(said.errors)), elsewhere)
    return said


def _is_xml(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|(\w+:)?VOTABLE)", file.read(100)) is not None


def _failure(where: str, found: str, elsewhere: str) -> TsmError:
    if _AWAY.search(found):
        return ReplyError(Problem(Code.SERVICE_UNREACHABLE, where, found, "a VOTable", elsewhere))
    return refuse(Code.SERVICE_REFUSED, where, found=found, expected="a VOTable",
                  remedy="see whether it is still there, under this name and with these columns")


def _without_rows(file: BinaryIO) -> Iterator[bytes]:
    """The document but for the inside of its DATA; all of a document that has none."""
    head = file.read(EDGE)
    begin = head.find(b"<DATA>")
    size = file.seek(0, 2)
    if begin < 0:
        if size > EDGE:
            raise NotVOTableError(f"no rows within {EDGE} bytes")
        yield head
        return
    file.seek(max(begin, size - EDGE))
    tail = file.read()
    end = tail.rfind(b"</DATA>")
    if end < 0:
        raise NotVOTableError("it ends among its rows")
    yield head[:begin] + b"<DATA>"
    yield tail[end:]


class _Scan:
    """Keeps what the tags of a document declare."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._tables: list[TableSaid] = []
        self._root = ""
        self._note: Note | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, part: bytes) -> None:
        """Take in the next bytes."""
        try:
            self._parser.Parse(part)
        except expat.ExpatError as error:
            raise NotVOTableError(f"no XML: {error}") from None

    def said(self) -> Said:
        """All that was declared, at the end of the document."""
        try:
            self._parser.Parse(b"", True)  # noqa: FBT003 - nothing comes after it
        except expat.ExpatError:
            raise NotVOTableError("it ends before its last tag") from None
        if self._root != "VOTABLE":
            raise NotVOTableError(f"a document of <{self._root}>")
        return Said(tuple(self._notes), tuple(self._tables))

    def _doctype(self, *_: object) -> None:
        raise NotVOTableError("a DOCTYPE, as pages of HTML have")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self._root = self._root or tag
        if tag in ("INFO", "PARAM"):
            self._note = Note(attributes.get("name", ""), attributes.get("value", ""))
            self._notes.append(self._note)
        elif tag == "TABLE":
            self._tables.append(TableSaid(attributes.get("name", attributes.get("ID", "")),
                                          _count(attributes.get("nrows", ""))))
        elif tag == "FIELD" and self._tables:
            kind = KINDS.get(attributes.get("datatype", ""), "")
            self._tables[-1].columns[attributes.get("name", "")] = ColumnSaid.model_validate(
                {"kind": kind, "unit": attributes.get("unit", "")})
        elif tag == "DATA" and self._tables:
            self._tables[-1] = replace(self._tables[-1], filled=True)

    def _end(self, name: str) -> None:
        if name.rpartition(":")[2] in ("INFO", "PARAM"):
            self._note = None

    def _characters(self, text: str) -> None:
        if self._note is not None:
            self._note.text += text


def _count(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None
