"""Rows of what a service brought: under native names, in one form, of the wanted region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from pz_tsm_core import tables
from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.retrieval import ColumnSaid, Wanted
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.readers import TableStream
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval.canonical import canonical, canonical_schema
from pz_tsm_core.retrieval.compare import breaches
from pz_tsm_core.retrieval.selection import selector
from pz_tsm_core.sources import Piece


@dataclass
class Reading:
    """The rows of one catalogue while they are read, and the account of them.

    Parameters
    ----------
    taken : rows that came
    outside : of these, rows beyond the wanted region
    beyond : rows in the region beyond the number that was asked for
    columns : as the files declare them, by native name
    """

    survey: Survey
    wanted: Wanted
    reach: Reach
    taken: int = 0
    outside: int = 0
    beyond: int = 0
    columns: dict[str, ColumnSaid] = field(default_factory=dict)
    _schema: pa.Schema | None = None

    @property
    def given(self) -> int:
        """Rows that are kept."""
        return self.taken - self.outside - self.beyond

    def batches(
        self, pieces: Iterable[Piece], names: Mapping[str, str], where: str, total: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of pieces, one after the other.

        Parameters
        ----------
        names : native name -> name at the service
        where : the service and its table, for people
        total : rows that the service promised in all

        Raises
        ------
        TsmError
            `service.schema` for columns or values that are not those of the definition;
            `service.incomplete` for fewer rows, or more, than were promised; as the readers.
        """
        before = self.taken
        for piece in pieces:
            began = self.taken
            with _kept_if_sound(piece, where):
                yield from self._piece(piece, names, where, total)
                _compare(piece.rows, self.taken - began, f"{where}: {piece.path.name}")
        _compare(total, self.taken - before, where)

    def _piece(
        self, piece: Piece, names: Mapping[str, str], where: str, total: int | None
    ) -> Iterator[pa.RecordBatch]:
        select = selector(self.survey, self.wanted)
        with _opened(piece, names, self.survey, where) as stream:
            renamed = self._renamed(stream.schema, where, names)
            schema = self._schema = self._schema or canonical_schema(renamed, self.survey.types)
            for batch in stream.batches:
                rows = canonical(batch.rename_columns(renamed.names), schema, where)
                self.taken += len(rows)
                self.reach.tell(self.survey.key, self.taken, total, "rows")
                chosen = select(rows)
                self.outside += len(rows) - len(chosen)
                yield self._at_most(chosen)

    def _renamed(
        self, schema: pa.Schema, where: str, names: Mapping[str, str]
    ) -> pa.Schema:
        """The schema under native names, compared with the definition."""
        natives = sorted(names)
        fields = [one.with_name(native) for native, one in zip(natives, schema, strict=True)]
        self.columns = {one.name: ColumnSaid.of(one) for one in fields}
        if problems := list(breaches(self.survey, self.columns, where, names)):
            raise TsmError(*problems)
        return pa.schema(fields)

    def _at_most(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows, or the first of them, when more are not wanted."""
        if self.wanted.rows is None:
            return rows
        # `given` counts these rows already.
        surplus = min(len(rows), max(0, self.given - self.wanted.rows))
        self.beyond += surplus
        return rows.slice(0, len(rows) - surplus)


@contextmanager
def _kept_if_sound(piece: Piece, where: str) -> Iterator[None]:
    """Remove a file that could not be read, so that a later try does not go on with it.

    It is told by the place from which it came: its own path is gone then.
    """
    try:
        yield
    except TsmError as error:
        if piece.lent:
            raise
        piece.path.unlink(missing_ok=True)
        raise type(error)(*(
            replace(problem, where=problem.where.replace(str(piece.path), where))
            for problem in error.problems)) from error


@contextmanager
def _opened(
    piece: Piece, names: Mapping[str, str], survey: Survey, where: str
) -> Iterator[TableStream]:
    """Open a piece with the wanted columns, in the order of their native names."""
    asked = [names[native] for native in sorted(names)]
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(_stream(piece, asked))
        except TsmError as error:
            if error.codes != (Code.TABLE_MISSING_COLUMN,):
                raise
            spelt = _spelt(piece, names, survey, where)
            stream = stack.enter_context(_stream(piece, [spelt[name] for name in sorted(names)]))
        yield stream


def _stream(piece: Piece, columns: Sequence[str]) -> AbstractContextManager[TableStream]:
    return tables.stream(piece.path, columns, table=piece.table, format=piece.format)


def _spelt(
    piece: Piece, names: Mapping[str, str], survey: Survey, where: str
) -> dict[str, str]:
    """Native name -> name as the file spells it: services that write SQL fold its case."""
    facts = tables.describe(piece.path, table=piece.table, format=piece.format)
    by_fold = defaultdict(list)
    for column in facts.columns:
        by_fold[column.name.casefold()].append(column.name)
    there = {column.name for column in facts.columns}
    found = {}
    for native, name in names.items():
        alike = by_fold[name.casefold()]
        if name in there or len(alike) == 1:
            found[native] = name if name in there else alike[0]
    if problems := list(breaches(survey, dict.fromkeys(found, ColumnSaid()), where, names)):
        raise TsmError(*problems)
    return found


def _compare(promised: int | None, came: int, where: str) -> None:
    if promised is not None and came != promised:
        raise refuse(
            Code.SERVICE_INCOMPLETE, where, found=f"{came:,} rows",
            expected=f"the {promised:,} rows that the service counted",
            remedy="fetch again: it may have been changed or cut meanwhile",
        )
