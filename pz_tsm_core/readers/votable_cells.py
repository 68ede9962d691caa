"""Rows of a VOTable as TABLEDATA: one element a value (VOTable 1.5, section 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.parsers import expat

import pyarrow as pa

from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.votable_scan import FieldTag, TableTag
from pz_tsm_core.readers.votable_values import WrongValueError, parsed


class Cells:
    """The cells of a table as text, until they are asked for as columns.

    Parameters
    ----------
    empty_integers : whether nothing stands for a missing integer, as since version 1.3
    """

    def __init__(self, table: TableTag, source: Source, *, empty_integers: bool) -> None:
        self._fields, self._width = table.fields, len(table.fields)
        self._source = source
        self._empty_integers = empty_integers
        self._cells = list[str]()
        self._ends = 0  # cells up to the end of the last whole row
        self._lines = list[int]()  # on which the rows begin
        self._before = 0  # rows that are gone

    def count(self) -> int:
        """Say how many rows are whole."""
        if len(self._cells) - self._ends > self._width:
            raise self._source.damaged(
                f"more than {self._width} values in row {self._before + len(self._lines)}",
                f"{self._width}, one a column")
        return self._ends // self._width if self._ends else 0

    def take(self, places: Sequence[int]) -> list[pa.Array]:
        """Values of the rows that were counted, in the columns at these places; they are then gone.

        Raises
        ------
        TsmError
            `file.damaged`, with row and line, for a value that is not of its datatype.
        """
        rows = self.count()
        arrays = [self._array(self._cells[place : self._ends : self._width], self._fields[place])
                  for place in places]
        del self._cells[: self._ends], self._lines[:rows]
        self._ends, self._before = 0, self._before + rows
        return arrays

    def close(self) -> None:
        """Refuse what is no whole row."""
        if self._cells[self._ends :]:
            raise self._source.damaged("values beyond the rows")

    def listen(self, parser: expat.XMLParserType, tag: str, done: Callable[[], None]) -> None:
        """Take the rows from the parser until the element of this name ends."""
        prefix = tag.removesuffix("TABLEDATA")
        cell, row = f"{prefix}TD", f"{prefix}TR"
        add, text = self._cells.append, ""

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal text
            text = ""
            if name == cell:
                if "encoding" in attributes:
                    raise self._source.unsupported("values in base64 among others", "plain values",
                                                   "save it anew, as TABLEDATA or BINARY2")
            elif name == row:
                self._lines.append(parser.CurrentLineNumber)
            else:
                raise self._source.damaged(f"a {name} among the rows")

        def characters(part: str) -> None:
            nonlocal text
            text += part

        def end(name: str) -> None:
            if name == cell:
                add(text)
            elif name == row:
                self._end_row()
            else:
                done()

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler = characters

    def _end_row(self) -> None:
        there = len(self._cells) - self._ends
        if there != self._width:
            raise self._source.damaged(
                f"{there} values in row {self._before + len(self._lines)}, line {self._lines[-1]}",
                f"{self._width}, one a column")
        self._ends += self._width

    def _array(self, cells: list[str], one: FieldTag) -> pa.Array:
        try:
            return parsed(cells, one, empty_integers=self._empty_integers)
        except WrongValueError as wrong:
            raise self._source.damaged(
                f"`{cells[wrong.place]}` in column `{one.name}`, row "
                f"{self._before + wrong.place + 1}, line {self._lines[wrong.place]}",
                f"values of the datatype {one.native}") from None
