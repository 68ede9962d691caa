"""What a VOTable declares, learnt from the stream of its tags before anything else reads it.

A document type or a reference to another place ends the scan: entities unfold without bound, and
libraries fetch what `href` names, from this machine or from the network (VOTable 1.5, section 5).
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
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

_DIGITS = (string.ascii_letters + string.digits + "+/").encode()
_SPACE = string.whitespace.encode()


@dataclass
class FieldTag:
    """One FIELD: its attributes, and the text of its DESCRIPTION."""

    attributes: dict[str, str]
    description: str = ""

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
    def datatype(self) -> Datatype:
        """The datatype; an unknown one holds nothing."""
        return DATATYPES.get(self.attributes.get("datatype", ""), Datatype(None, 1))

    @property
    def type(self) -> pa.DataType | None:
        """The Arrow type; None for lists and complex numbers."""
        single = self.datatype.type == pa.string() or not self.size
        return self.datatype.type if single else None

    @property
    def native(self) -> str:
        """The type in VOTable's words."""
        size = f" of arraysize {self.size}" if self.size else ""
        return f"{self.attributes.get('datatype', 'no datatype')}{size}"

    @property
    def count(self) -> int:
        """Elements in a row, or the most that there may be; 0 where any number may be."""
        sizes = [int(size) for size in self.size.rstrip("*").split("x") if size]
        return math.prod(sizes) if sizes or not self.size else 0

    @property
    def stream_bytes(self) -> int | None:
        """Bytes of a row's values in BINARY; None where rows differ."""
        if self.size.endswith("*"):
            return None
        if self.attributes.get("datatype") == "bit":
            return -(-self.count // 8)
        return self.datatype.bytes * self.count

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
    tags: int = 0  # TR in TABLEDATA
    digits: int = 0  # of base64 in BINARY
    padding: bool = False

    @property
    def names(self) -> set[str]:
        """Words by which one may ask for the table."""
        return {word for key in ("name", "ID") if (word := self.attributes.get(key))}

    @property
    def row_bytes(self) -> int | None:
        """Bytes of a row in BINARY; None where rows differ."""
        widths = [one.stream_bytes for one in self.fields]
        nulls = -(-len(widths) // 8) if self.serialization == "BINARY2" else 0
        known = [width for width in widths if width is not None]
        return sum(known) + nulls if len(known) == len(widths) else None

    @property
    def stream_bytes(self) -> int:
        """Bytes of the decoded stream."""
        return self.digits * 3 // 4


class Scan:
    """Reads the tags of a document and keeps what it declares."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tables: list[TableTag] = []
        self._before = ""  # the tag that was opened last
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, chunks: Iterable[bytes]) -> list[TableTag]:
        """The tables that the document declares.

        Raises
        ------
        TsmError
            `file.format` for a document type or values elsewhere, `file.damaged`, `file.limit`.
        """
        try:
            for chunk in chunks:
                self._parser.Parse(chunk)
            self._parser.Parse(b"", True)  # noqa: FBT003 - nothing comes after it
        except expat.ExpatError as error:
            raise self.source.damaged(f"no whole XML: {error}") from None
        return self.tables

    def _doctype(self, *_: object) -> None:
        raise self.source.unsupported(
            "a DOCTYPE, which can make a small file unfold to any size", "a VOTable without one",
            "remove the line, if you know who wrote it")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "TR" and self.tables:
            self.tables[-1].tags += 1
        elif tag != "TD":
            self._declare(tag, attributes)
            self._before = tag

    def _declare(self, tag: str, attributes: dict[str, str]) -> None:
        # A LINK points people to a page; nothing reads from there.
        if tag != "LINK" and any(key.rpartition(":")[2].lower() == "href" for key in attributes):
            raise self.source.unsupported(
                f"a {tag} that refers to another place (href)", "a VOTable that holds its rows",
                "save it with its rows inside")
        if tag == "TABLE":
            self.tables.append(TableTag(attributes))
        elif self.tables and tag == "FIELD":
            self.tables[-1].fields.append(FieldTag(attributes))
            count, most = len(self.tables[-1].fields), self.source.limits.max_columns
            if count > most:
                raise self.source.too_large(f"more than {most} columns", f"{most}")
        elif self.tables and tag in SERIALIZATIONS:
            self.tables[-1].serialization = tag
        elif self.tables and tag == "STREAM":
            self._open_stream(attributes)
        elif self.tables and tag == "DESCRIPTION" and self._before == "FIELD":
            self._listen("DESCRIPTION", self._describe)

    def _open_stream(self, attributes: dict[str, str]) -> None:
        if attributes.get("encoding") != "base64":
            raise self.source.unsupported(
                f"a STREAM in the encoding {attributes.get('encoding')}", "base64",
                "save it as TABLEDATA or BINARY2")
        self._listen("STREAM", self._count)

    def _listen(self, tag: str, handler: Callable[[str], None]) -> None:
        """Give the text inside an element to the handler, until the element ends."""
        def end(name: str) -> None:
            if name.rpartition(":")[2] == tag:
                self._parser.CharacterDataHandler = self._parser.EndElementHandler = None

        self._parser.CharacterDataHandler, self._parser.EndElementHandler = handler, end

    def _describe(self, text: str) -> None:
        self.tables[-1].fields[-1].description += text

    def _count(self, text: str) -> None:
        """Count the digits of base64: decoders pass over what is none, and shift what follows."""
        table = self.tables[-1]
        plain = text.encode().translate(None, _SPACE)
        digits = plain.rstrip(b"=")
        if digits.translate(None, _DIGITS) or (digits and table.padding):
            raise self.source.damaged("a STREAM with characters that are not base64")
        table.digits += len(digits)
        table.padding |= len(plain) > len(digits)
