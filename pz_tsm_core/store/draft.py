"""An artifact in the making: files below a staging folder, and the account that goes with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from pz_tsm_core.model.artifact import Rows, plain_json
from pz_tsm_core.store.digest import TableDigest
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.tables import ParquetTable

_TABLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class Write(Protocol):
    """Adds rows to a table that is open."""

    def __call__(self, rows: pa.RecordBatch | pa.Table, taken: TableDigest | None = None) -> None:
        """Write rows; `taken` is their digest, where somebody has it already."""


class Draft:
    """What a stage fills while it is published; nobody else sees it before it is whole.

    Parameters
    ----------
    directory : staging folder; whatever lies below it at the end becomes the artifact
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tables: dict[str, TableDigest] = {}
        self.account: Rows | None = None
        self.counts: dict[str, Counter[str]] = {}
        self.notes: dict[str, Any] = {}

    def write_table(
        self,
        name: str,
        data: pa.Table | Iterable[pa.RecordBatch],
        schema: pa.Schema | None = None,
    ) -> int:
        """Write `<name>.parquet`, take its digest on the way, and return its number of rows.

        A stream is written as it comes and never held whole; it needs `schema` if it may be empty.
        """
        if isinstance(data, pa.Table):
            schema = schema or data.schema
            data = data.unify_dictionaries().to_batches()
        batches, schema = _with_schema(data, schema)
        with self.writing(name, schema) as write:
            for batch in batches:
                write(batch)
        return self.tables[name].rows

    @contextmanager
    def writing(
        self, name: str, schema: pa.Schema
    ) -> Iterator[Write]:
        """Open `<name>.parquet` for rows that come in pieces, while others are open as well."""
        digest = self._register(name, schema)
        file = ParquetTable(self.directory / f"{name}.parquet", schema)

        def write(rows: pa.RecordBatch | pa.Table, taken: TableDigest | None = None) -> None:
            if taken:
                digest.merge(taken)
            for batch in rows.to_batches() if isinstance(rows, pa.Table) else (rows,):
                if not taken:
                    digest.update(batch)
                point("draft.batch")
                file.write(batch)

        try:
            yield write
            file.finish()
        finally:
            file.close()

    def register_table(
        self, name: str, parts: Iterable[pa.RecordBatch | TableDigest], schema: pa.Schema
    ) -> int:
        """Take the digest of rows that stand in files of other writers, and return their number.

        The files themselves get their sha256 in the manifest, but no say in the content digest:
        such libraries write dates into them.
        """
        digest = self._register(name, schema)
        for part in parts:
            take = digest.merge if isinstance(part, TableDigest) else digest.update
            take(part)
        return digest.rows

    def rows(
        self, taken: int, given: int, dropped: Mapping[str, int] | None = None, added: int = 0
    ) -> None:
        """State the row balance: rows in + rows added = rows out + rows dropped, by reason.

        Raises
        ------
        ValueError
            When it does not balance: the stage lost rows, or counts them wrong.
        """
        self.account = Rows(taken=taken, given=given, dropped=dict(dropped or {}), added=added)

    def count(self, name: str, counts: Mapping[str, int]) -> None:
        """Add to the counts kept under a name: hits of rules, reasons, sides of a split."""
        self.counts.setdefault(name, Counter()).update(counts)

    def note(self, key: str, value: Any) -> None:
        """Keep a fact (plain JSON) for people; it stands outside every digest."""
        self.notes[key] = plain_json(value)

    def _register(self, name: str, schema: pa.Schema) -> TableDigest:
        if not _TABLE_NAME.fullmatch(name) or name in self.tables:
            raise ValueError(f"table name {name!r} is taken, or not lower-case letters and digits")
        self.tables[name] = TableDigest(schema)
        return self.tables[name]


def _with_schema(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema | None
) -> tuple[Iterable[pa.RecordBatch], pa.Schema]:
    if schema is not None:
        return batches, schema
    stream = iter(batches)
    first = next(stream, None)
    if first is None:
        raise ValueError("a stream without batches needs a schema")
    return chain([first], stream), first.schema
