"""Rows of an artifact as a stage reads them: told as they are taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.progress import counted
from pz_tsm_core.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def rows_of(
    store: Store, ref: ArtifactRef, table: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The batches of a table; whoever watches the stage hears how many of its rows were read."""
    total = store.manifest(ref).table_rows[table]
    return counted(store.batches(ref, table, columns), "rows", total, size=len)
