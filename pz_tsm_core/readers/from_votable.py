"""VOTable files: rows are taken from the stream of tags, as many as a part of the file holds.

Nothing is mended: what is not of its datatype, and rows other than declared, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import pyarrow as pa

from pz_tsm_core.readers.facts import Facts
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.stream import TableStream
from pz_tsm_core.readers.votable_binary import Stream
from pz_tsm_core.readers.votable_cells import Cells
from pz_tsm_core.readers.votable_scan import Rows, Scan, TableTag

#: Bytes of the file whose rows are held at a time.
CHUNK = 2 * 2**20

#: Versions in which an empty cell was no missing integer.
_OLD = ("1.0", "1.1", "1.2")


@contextmanager
def stream(source: Source) -> Iterator[TableStream]:
    """Stream the first table with rows, or the one that `source.table` names.

    Raises
    ------
    TsmError
        `file.format` for a DOCTYPE, an href or rows in other formats; `file.damaged` for values
        that are not of their datatype.
    """
    batches = _batches(Document(source), source)
    first = next(batches, None)
    if first is None:
        raise source.empty("a table without rows")
    yield TableStream(first.schema, None, chain([first], batches))


def describe(source: Source) -> Facts:
    """Say what the file declares, and count the rows."""
    document, rows = Document(source), 0
    for count in document.read():
        rows += count
        document.take([])
    return Facts(rows, tuple(one.facts for one in document.table.fields))


def _batches(document: Document, source: Source) -> Iterator[pa.RecordBatch]:
    places, schema, rows, taken = list[int](), pa.schema([]), 0, 0
    for count in document.read():
        if not rows:
            places = _choose(document.table, source)
            schema = pa.schema([document.table.fields[place].field for place in places])
        rows += count
        source.check_size(rows, 1)
        batch = pa.RecordBatch.from_arrays(document.take(places), schema=schema)
        taken += batch.nbytes
        source.check_memory(taken)
        yield batch


def _choose(table: TableTag, source: Source) -> list[int]:
    """Places of the wanted columns."""
    there = [one.name for one in table.fields]
    places = [there.index(name) for name in source.select(there)]
    unusable = {one.name: one.native for one in map(table.fields.__getitem__, places)
                if one.type is None}
    if unusable:
        raise source.unusable(unusable)
    return places


class Document:
    """A VOTable that is gone through once, for the rows of one table.

    Attributes
    ----------
    table : the one whose rows come: the first that has any, or the one asked for
    """

    table: TableTag

    def __init__(self, source: Source) -> None:
        self._source = source
        self._scan = Scan(source, self._open)
        self._rows: Cells | Stream | None = None
        self._has_begun = False

    def read(self) -> Iterator[int]:
        """Go on to the next rows, and say how many there are: to be taken before the next.

        Raises
        ------
        TsmError
            for a document without such a table, and one that is not what it says of itself.
        """
        total = 0
        with self._source.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                self._scan.feed(chunk)
                if self._rows and (count := self._rows.count()):
                    self._has_begun, total = True, total + count
                    yield count
        self._scan.end()
        self._close(total)

    def take(self, places: Sequence[int]) -> list[pa.Array]:
        """The values of these rows, in the columns at these places."""
        return self._rows.take(places) if self._rows else []

    def _open(self, table: TableTag) -> Rows | None:
        """What takes the rows that begin; None if others are wanted."""
        named = self._source.table
        if named is not None and named not in table.names:
            return None
        if self._rows:
            if named is not None or self._has_begun or self._rows.count():
                return None
            self._rows.close()
        self.table, self._rows = table, self._taker(table)
        return self._rows

    def _taker(self, table: TableTag) -> Cells | Stream:
        for other in self._scan.tables:  # one that refers to another has that one's columns
            if not table.fields and other.attributes.get("ID") == table.attributes.get("ref", ""):
                table.fields = other.fields
        match table.serialization:
            case "TABLEDATA":
                return Cells(table, self._source, empty_integers=self._scan.version not in _OLD)
            case "BINARY" | "BINARY2":
                return Stream(table, self._source)
        raise self._source.unsupported(
            f"rows as {table.serialization}", "TABLEDATA, BINARY or BINARY2",
            "save it with its rows inside")

    def _close(self, total: int) -> None:
        """Refuse a document without the rows that it should have."""
        tables, named = self._scan.tables, self._source.table
        if not self._rows and (named is not None or not tables):
            names = sorted(name for table in tables for name in table.names)
            raise self._source.unsupported(
                f"{len(tables)} tables" + (f", of the names {', '.join(names)}" if names else ""),
                f"a TABLE `{named}` with rows" if named is not None else "a TABLE with rows",
                "name another, or none")
        if self._rows:
            self._rows.close()
            told = self.table.attributes.get("nrows", "").strip()
            if told and told != f"{total}":
                raise self._source.damaged(f"{total} whole rows where nrows says {told}")
        if not total and named is None:
            raise self._source.empty(f"{len(tables)} tables without rows")
