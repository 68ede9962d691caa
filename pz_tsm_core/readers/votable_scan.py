"""What a VOTable declares, learnt from the stream of its tags.

A document type or a reference to another place ends the scan: entities unfold without bound, and
what `href` names lies on this machine or in the network (VOTable 1.5, section 5).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from xml.parsers import expat

import pyarrow as pa

from pz_tsm_core.readers.facts import ColumnFacts, described_field
from pz_tsm_core.readers.source import Source


class Datatype(NamedTuple):
    """What holds single values of a VOTable datatype, and their bytes in BINARY."""

    type: pa.DataType | None
    bytes: int


#: VOTable 1.5, section 2.1.
DATATYPES = {
    "boolean": Datatype(pa.bool_(), 1), "bit": Datatype(pa.bool_(), 1),
    "unsignedByte": Datatype(pa.uint8(), 1), "short": Datatype(pa.int16(), 2),
    "int": Datatype(pa.int32(), 4), "long": Datatype(pa.int64(), 8),
    "float": Datatype(pa.float32(), 4), "double": Datatype(pa.float64(), 8),
    "char": Datatype(pa.string(), 1), "unicodeChar": Datatype(pa.string(), 2),
    "floatComplex": Datatype(None, 8), "doubleComplex": Datatype(None, 16),
}

#: How the rows of a table may stand in the file.
SERIALIZATIONS = {"TABLEDATA", "BINARY", "BINARY2", "FITS", "PARQUET"}

#: Elements in each direction; behind the last number, or in its place, * for any number.
_ARRAYSIZE = re.compile(r"(\d{1,9}x)*(\d{1,9}|\d{0,9}\*)")

#: Characters that are handed over in one piece.
BUFFER = 2**18


@dataclass
class FieldTag:
    """One FIELD: its attributes, and the text of its DESCRIPTION."""

    attributes: dict[str, str]
    description: str = ""
    null: str = ""  # the text of the value that stands for a missing one

    @property
    def name(self) -> str:
        """The name, or the ID of a column that has none."""
        return self.attributes.get("name") or self.attributes.get("ID", "")

    @property
    def size(self) -> str:
        """`arraysize`; empty for single values."""
        size = self.attributes.get("arraysize", "").strip()
        return "" if size == "1" else size

    @property
    def datatype_name(self) -> str:
        """What the FIELD calls the datatype; empty where it does not."""
        return self.attributes.get("datatype", "")

    @property
    def datatype(self) -> Datatype:
        """The datatype; an unknown one holds nothing."""
        return DATATYPES.get(self.datatype_name, Datatype(None, 1))

    @property
    def type(self) -> pa.DataType | None:
        """The Arrow type; None for lists and complex numbers."""
        single = not self.size or (self.datatype.type == pa.string() and "x" not in self.size)
        return self.datatype.type if single else None

    @property
    def native(self) -> str:
        """The type in VOTable's words."""
        size = f" of arraysize {self.size}" if self.size else ""
        return f"{self.datatype_name or 'no datatype'}{size}"

    @property
    def count(self) -> int:
        """Elements in a row, or the most that there may be; 0 where any number may be."""
        sizes = [int(size) for size in self.size.rstrip("*").split("x") if size]
        return math.prod(sizes) if sizes or not self.size else 0

    @property
    def element_bits(self) -> int:
        """Bits of an element in BINARY, where values begin with a byte of their own."""
        return 1 if self.datatype_name == "bit" else 8 * self.datatype.bytes

    @property
    def stream_bytes(self) -> int | None:
        """Bytes of a row's values in BINARY; None where rows differ."""
        return None if self.size.endswith("*") else -(-self.count * self.element_bits // 8)

    @property
    def field(self) -> pa.Field:
        """The column as Arrow describes it."""
        return described_field(self.name, self.type, self.attributes.get("unit", ""),
                               self.attributes.get("ucd", ""), " ".join(self.description.split()))

    @property
    def facts(self) -> ColumnFacts:
        """The column as `describe_table` tells of it."""
        kind = self.native if self.type is None else str(self.type)
        return ColumnFacts(self.name, kind, self.attributes.get("unit", ""),
                           self.attributes.get("ucd", ""), " ".join(self.description.split()),
                           usable=self.type is not None)


@dataclass
class TableTag:
    """One TABLE: its attributes and columns, how its rows are written, and how many there are."""

    attributes: dict[str, str]
    fields: list[FieldTag] = field(default_factory=list)
    serialization: str = ""

    @property
    def names(self) -> set[str]:
        """Words by which one may ask for the table."""
        return {word for key in ("name", "ID") if (word := self.attributes.get(key))}


class Rows(Protocol):
    """What takes the rows of a table from the parser of the document."""

    def listen(self, parser: expat.XMLParserType, tag: str, done: Callable[[], None]) -> None:
        """Take what the parser meets in the element that began, and say when it has ended."""
        ...


class Scan:
    """Reads the tags of a document and keeps what it declares.

    Parameters
    ----------
    take : gives, for the element of a table in which rows begin, what takes them; None to pass
        them over
    """

    def __init__(
        self, source: Source, take: Callable[[TableTag], Rows | None] = lambda _: None
    ) -> None:
        self.source = source
        self.tables: list[TableTag] = []
        self.version = ""
        self._take = take
        self._rows: Rows | None = None
        self._before = ""  # the tag that was opened last
        self._owner: FieldTag | None = None  # to which VALUES belong
        self._nulls = dict[str, str]()  # by the ID of the VALUES
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = BUFFER
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._listen_to_tags()

    def read(self, chunks: Iterable[bytes]) -> list[TableTag]:
        """The tables that the document declares.

        Raises
        ------
        TsmError
            `file.format` for a document type or values elsewhere, `file.damaged`, `file.limit`.
        """
        for chunk in chunks:
            self.feed(chunk)
        self.end()
        return self.tables

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Take in the next bytes."""
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise self.source.damaged(f"no whole XML: {error}") from None

    def end(self) -> None:
        """Refuse a document that is not whole."""
        self.feed(b"", last=True)

    def _doctype(self, *_: object) -> None:
        raise self.source.unsupported(
            "a DOCTYPE, which can make a small file unfold to any size", "a VOTable without one",
            "remove the line, if you know who wrote it")

    def _listen_to_tags(self) -> None:
        self._parser.CharacterDataHandler = self._parser.EndElementHandler = None
        self._parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag not in ("TR", "TD"):
            self._declare(name, tag, attributes)
            self._before = tag

    def _declare(self, name: str, tag: str, attributes: dict[str, str]) -> None:
        # A LINK points people to a page; nothing reads from there.
        if tag != "LINK" and any(key.rpartition(":")[2].lower() == "href" for key in attributes):
            raise self.source.unsupported(
                f"a {tag} that refers to another place (href)", "a VOTable that holds its rows",
                "save it with its rows inside")
        if tag == "VOTABLE":
            self.version = attributes.get("version", "")
        elif tag == "TABLE":
            self.tables.append(TableTag(attributes))
        elif self.tables:
            self._declare_in_table(name, tag, attributes)

    def _declare_in_table(self, name: str, tag: str, attributes: dict[str, str]) -> None:
        if tag == "FIELD":
            self._field(attributes)
        elif tag == "PARAM":
            self._owner = None
        elif tag == "VALUES":
            self._values(attributes)
        elif tag == "DESCRIPTION" and self._before == "FIELD":
            self._describe(name)
        elif tag in SERIALIZATIONS:
            if self.tables[-1].serialization:
                raise self.source.damaged("a table that has its rows twice")
            self.tables[-1].serialization = tag
            self._rows = self._take(self.tables[-1])
            if self._rows and tag == "TABLEDATA":
                self._rows.listen(self._parser, name, self._listen_to_tags)
        elif tag == "STREAM" and self._rows:
            if attributes.get("encoding") != "base64":
                raise self.source.unsupported(
                    f"a STREAM in the encoding {attributes.get('encoding')}", "base64",
                    "save it as TABLEDATA or BINARY2")
            self._rows.listen(self._parser, name, self._listen_to_tags)

    def _field(self, attributes: dict[str, str]) -> None:
        self._owner = FieldTag(attributes)
        self.tables[-1].fields.append(self._owner)
        count, most = len(self.tables[-1].fields), self.source.limits.max_columns
        if count > most:
            raise self.source.too_large(f"more than {most} columns", f"{most}")
        if self._owner.size and not _ARRAYSIZE.fullmatch(self._owner.size):
            raise self.source.damaged(f"`{self._owner.name}` of arraysize {self._owner.size}")

    def _values(self, attributes: dict[str, str]) -> None:
        referred = self._nulls.get(attributes["ref"], "") if "ref" in attributes else ""
        null = attributes.get("null", referred)
        if "ID" in attributes:
            self._nulls[attributes["ID"]] = null
        if self._owner:
            self._owner.null = null

    def _describe(self, element: str) -> None:
        """Take the text of the description that began."""
        owner = self.tables[-1].fields[-1]

        def text(part: str) -> None:
            owner.description += part

        def end(name: str) -> None:
            if name == element:
                self._listen_to_tags()

        self._parser.CharacterDataHandler, self._parser.EndElementHandler = text, end
