"""Which tables an HDF5 file holds: found without following a link out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import h5py

from pz_tsm_core.errors import TsmError
from pz_tsm_core.readers.source import Source

#: What astropy appends to the name of its records for the dataset that describes them.
META = ".__table_column_meta__"

#: Groups and datasets beyond which no table file is expected.
MAX_OBJECTS = 100_000

#: How pandas marks its groups, and how it names columns whose labels it pickled.
PANDAS, PICKLED = "pandas_type", "values_block_"

#: Groups in which PyTables keeps an index of records.
INDEX = "_i_"


@dataclass(frozen=True)
class Table:
    """A table: datasets of equal length, or one dataset of records.

    Parameters
    ----------
    datasets : by name; of records, the one dataset
    records : name of the dataset of records; None where each column is a dataset
    header : what astropy wrote beside its records
    parts : names of the parts of the records that are columns
    """

    rows: int
    datasets: dict[str, h5py.Dataset]
    records: str | None = None
    header: h5py.Dataset | None = None
    parts: tuple[str, ...] = ()


def choose_table(file: h5py.File, source: Source) -> Table:
    """The only table of the file, or the one that `source.table` names.

    Raises
    ------
    TsmError
        `file.format` when there are several or none, or links that lead elsewhere.
    """
    tables, refused = dict[str, Table](), list[str]()
    for path, group in _groups(file, source):
        _tables_of(path, group, tables, refused)
    if source.table is not None:
        wanted = source.table.strip("/")
        if wanted in tables:
            return tables[wanted]
    elif len(tables) == 1:
        return next(iter(tables.values()))
    raise _no_choice(tables, refused, source)


def _no_choice(tables: dict[str, Table], refused: list[str], source: Source) -> TsmError:
    named = ", ".join(f"`{name or '/'}`" for name in sorted(tables))
    if not tables:
        return source.unsupported(
            "; ".join(refused) or "no table", "a group of datasets of equal length, or a dataset "
            "of records", "write it as such, or as Parquet: pandas does with to_parquet")
    found = f"no table `{source.table}`" if source.table is not None else f"{len(tables)} tables"
    return source.unsupported(f"{found}: there are {named}", "one table, or the name of one",
                              f"name it: table={min(tables) or '/'!r}")


def _groups(file: h5py.File, source: Source) -> Iterator[tuple[str, h5py.Group]]:
    """Every group once, by its shortest path; a group may contain itself."""
    waiting, seen, objects = [("", file["/"])], set[tuple[int, int]](), 0
    while waiting:
        path, group = waiting.pop(0)
        place = h5py.h5o.get_info(group.id)
        if (place.fileno, place.addr) in seen:
            continue
        seen.add((place.fileno, place.addr))
        objects += len(group)
        if objects > MAX_OBJECTS:
            raise source.too_large(f"more than {MAX_OBJECTS} objects", f"{MAX_OBJECTS}")
        for name in group:
            _refuse_link(group, name, source)
            is_index = name.startswith(INDEX)
            if group.get(name, getclass=True) is h5py.Group and not is_index:
                waiting.append((f"{path}/{name}".strip("/"), group[name]))
        yield path, group


def _refuse_link(group: h5py.Group, name: str, source: Source) -> None:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise source.unsupported(
            f"`{name}` in `{group.name}`, a link to another place",
            "a file that holds its values", "copy them into one file, for example with h5py")


def _tables_of(
    path: str, group: h5py.Group, tables: dict[str, Table], refused: list[str]
) -> None:
    """Note the tables that stand right in a group, and why others are none."""
    datasets = {name: group[name] for name in group
                if group.get(name, getclass=True) is h5py.Dataset and group[name].ndim}
    records = {name for name, dataset in datasets.items() if dataset.dtype.names}
    headers = {name + META for name in records}
    for name in sorted(records):
        place = f"{path}/{name}".strip("/")
        parts = tuple(datasets[name].dtype.names)
        if any(part.startswith(PICKLED) for part in parts):
            refused.append(f"`{place}`, where pandas has pickled the names of the columns")
            continue
        labels = {"index"} if PANDAS in group.attrs else set()
        tables[place] = Table(len(datasets[name]), {name: datasets[name]}, name,
                              datasets.get(name + META),
                              tuple(part for part in parts if part not in labels))
    columns = {name: dataset for name, dataset in datasets.items()
               if name not in records | headers}
    lengths = {len(dataset) for dataset in columns.values()}
    if PANDAS in group.attrs and columns:
        refused.append(f"`{path}`, a layout of pandas alone that holds pickled names")
    elif len(lengths) == 1:
        tables[path] = Table(lengths.pop(), columns)
    elif columns:
        refused.append(f"`{path or '/'}`, whose datasets differ in length")
