"""HATS catalogues and collections as tables of redshifts: whole, checked, without their margins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.files import digest_file
from pz_tsm_core.hats_layout import (
    COLLECTION,
    PARTITIONS,
    PROPERTIES,
    Layout,
    invalid,
    read_layout,
)
from pz_tsm_core.model.artifact import sha256_of
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import (
    ColumnFacts,
    TableFacts,
    TableStream,
    describe_table,
    open_table,
)
from pz_tsm_core.readers.source import BATCH_ROWS, Source
from pz_tsm_core.readers.stream import bounded
from pz_tsm_core.sky.catalog import require_hats

#: Columns that say where a row lies in the catalogue, not what it is.
LAYOUT_COLUMNS = {"_healpix_29", "Norder", "Dir", "Npix"}


@dataclass(frozen=True)
class Opened:
    """A catalogue on disk.

    Parameters
    ----------
    root : the folder that was named, of a collection or a catalogue
    primary : the folder of the catalogue itself
    rows : as its properties say; None where they do not
    files : of the partitions, in the order of the sky
    """

    root: Path
    primary: Path
    rows: int | None
    files: tuple[Path, ...]


def read_hats(
    path: str | Path,
    columns: Iterable[str] | None = None,
    limits: Limits | None = None,
    first: int | None = None,
) -> pa.Table:
    """Read all partitions of a HATS catalogue, or of the primary one of a collection.

    Rows come in the order of the sky, whatever the file system lists first. Pages that carry
    checksums are verified.

    Parameters
    ----------
    columns : the columns to read, in this order; by default all but `_healpix_29` and the
        older `Norder`, `Dir` and `Npix`
    limits : for the catalogue as a whole
    first : so many rows, from the first on; by default all

    Raises
    ------
    TsmError
        `catalog.invalid` for what is no catalogue, lacks a partition, has one too many, or other
        rows than its properties say; `table.*`, `file.damaged` and `file.limit` as `read_table`.
    """
    with open_hats(path, columns, limits, first) as stream:
        return stream.read_all()


@contextmanager
def open_hats(
    path: str | Path,
    columns: Iterable[str] | None = None,
    limits: Limits | None = None,
    first: int | None = None,
    rows: int = BATCH_ROWS,
) -> Iterator[TableStream]:
    """Open a HATS catalogue to take in its rows, at most so many at a time, as `read_hats` does."""
    bounds = limits or Limits()
    facts, files = _facts(_open(path), bounds)
    wanted = None if columns is None else tuple(columns)
    source = Source(Path(path), wanted, bounds, str(path), first=first, batch_rows=rows)
    names = source.select(_names(facts.columns, with_layout=columns is not None))
    source.check_size(source.at_most(facts.rows), 1)
    with _partition(files[0], names, source) as stream:
        schema = stream.schema
    batches = _batches(files, names, schema, source)
    yield bounded(TableStream(schema, facts.rows, batches), source)


def _batches(
    files: Iterable[Path], names: Sequence[str], schema: pa.Schema, source: Source
) -> Iterator[pa.RecordBatch]:
    taken = 0
    for file in files:
        with _partition(file, names, source) as stream:
            for batch in stream.batches:
                taken += batch.nbytes
                source.check_memory(taken)
                # What partitions say of their columns in words may differ.
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _partition(
    file: Path, names: Sequence[str], source: Source
) -> AbstractContextManager[TableStream]:
    return open_table(file, format="parquet", columns=names, limits=source.limits,
                      first=source.first, rows=source.batch_rows)


def describe_hats(path: str | Path, limits: Limits | None = None) -> TableFacts:
    """Say what a HATS catalogue holds, from the footers of its partitions."""
    facts, _ = _facts(_open(path), limits or Limits())
    names = _names(facts.columns, with_layout=False)
    return TableFacts(facts.rows, tuple(c for c in facts.columns if c.name in names), "hats")


def digest_hats(path: str | Path) -> str:
    """Digest by which a catalogue that is read as redshifts is known: of all that is read.

    sha256 over the sorted (relative path, sha256 of the bytes) of its partitions, its list of
    partitions and its properties; margins, maps and metadata files do not count.

    Raises
    ------
    TsmError
        `catalog.invalid` as `read_hats`.
    """
    opened = _open(path)
    told = [opened.root / COLLECTION,
            *(opened.primary / name for name in (*PROPERTIES, PARTITIONS))]
    files = {file for file in (*opened.files, *told) if file.is_file()}
    return sha256_of(sorted([file.relative_to(opened.root).as_posix(), digest_file(file)]
                            for file in files))


def _open(path: str | Path) -> Opened:
    require_hats(path)
    root = Path(path)
    layout = read_layout(root, str(root))
    return Opened(root, root / layout.primary, layout.properties.total_rows,
                  _partition_files(root, layout))


def _partition_files(root: Path, layout: Layout) -> tuple[Path, ...]:
    """Files of all partitions, each where its list says, and no others."""
    primary = root / layout.primary
    listed = [root / layout.partition(pixel) for pixel in layout.pixels]
    there = set(primary.glob("dataset/Norder=*/Dir=*/Npix=*"))
    for found, extra in (("no partition", set(listed) - there),
                         ("a partition that is not listed,", there - set(listed))):
        if extra:
            raise invalid(str(primary), f"{found} {min(extra).relative_to(primary)}"
                          + (f" and {len(extra) - 1} others" if len(extra) > 1 else ""),
                          f"the partitions of {PARTITIONS}")
    if not layout.in_folders:
        return tuple(listed)
    return tuple(file for folder in listed for file in sorted(folder.iterdir())
                 if not file.name.startswith(("_", ".")))


def _facts(opened: Opened, limits: Limits) -> tuple[TableFacts, list[Path]]:
    """Rows and columns, the same columns in every partition; and the partitions with rows."""
    rows, columns, filled = 0, tuple[ColumnFacts, ...](), []
    for file in opened.files:
        facts = describe_table(file, format="parquet", limits=limits)
        columns = columns or facts.columns
        if [(c.name, c.type) for c in facts.columns] != [(c.name, c.type) for c in columns]:
            raise invalid(str(opened.root), f"other columns in {file.relative_to(opened.root)}",
                          f"those of {opened.files[0].relative_to(opened.root)}")
        rows += facts.rows
        filled += [file] if facts.rows else []
    if opened.rows not in (None, rows):
        raise invalid(str(opened.root), f"{rows} rows", f"{opened.rows}, as its properties say")
    return TableFacts(rows, columns, "hats"), filled


def _names(columns: Sequence[ColumnFacts], *, with_layout: bool) -> list[str]:
    return [c.name for c in columns if with_layout or c.name not in LAYOUT_COLUMNS]
