"""HATS catalogues of others: recognised, pinned by content, opened with the columns wanted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, Problem, Problems, TransientError, nearest, refuse
from pz_tsm_core.model.artifact import sha256_of

if TYPE_CHECKING:
    from upath import UPath

#: Files by which HATS says what a folder is, and how it is divided.
_MARKS = ("collection.properties", "hats.properties", "properties")
#: Left alone, LSDB takes a flipped bit for a value, also where the pages carry checksums.
_VERIFIED = {"page_checksum_verification": True}
_PLANS = (*_MARKS, "partition_info.csv")
#: Requests to a server at a time.
REQUESTS = 8


def pin_catalog(path: str | Path) -> str:
    """Digest by which a HATS catalogue or collection is known, without reading its data.

    sha256 over the bytes of its properties and partition lists and the sorted (relative path,
    size) of all files. At an address that is the edition (size and ETag) of the list of footers
    or, without one, of every file of the catalogue itself.

    Raises
    ------
    TsmError
        `catalog.invalid` when there is no HATS catalogue at `path`; `service.*` or `remote.*`.
    """
    if is_remote(path):
        return _pin_address(str(path))
    root = Path(path)
    require_hats(root)
    entries = []
    plans = hashlib.sha256()
    # Collections are often put together from links; what they lead to is what is matched.
    walk = ((Path(folder), names) for folder, _, names in os.walk(root, followlinks=True))
    for file in sorted(folder / name for folder, names in walk for name in names):
        entries.append([file.relative_to(root).as_posix(), file.stat().st_size])
        if file.name in _PLANS:
            plans.update(file.read_bytes())
    return sha256_of([plans.hexdigest(), entries])


def is_remote(path: str | Path) -> bool:
    """Whether a catalogue is on a web server or S3."""
    return "://" in str(path)


def _pin_address(url: str) -> str:
    """Of a catalogue that somebody else serves: what it says of itself, and what is there."""
    from pz_tsm_core.sky.objects import open_objects  # a plan of what lies here need not wait

    catalog = open_objects(url).catalog
    if catalog.footers:
        return sha256_of([catalog.validator])
    with ThreadPoolExecutor(REQUESTS) as pool:
        names = list(catalog.files(catalog.layout.pixels))
        editions = list(pool.map(catalog.folder.edition, names))
    return sha256_of([catalog.validator, sorted(zip(names, editions, strict=True))])


def is_hats(path: str | Path) -> bool:
    """Whether a folder says that it is a HATS catalogue or collection."""
    return any((Path(path) / mark).is_file() for mark in _MARKS)


def require_hats(path: str | Path) -> None:
    """Refuse a path where there is no HATS catalogue or collection."""
    if not is_hats(path):
        found = "a folder without HATS properties" if Path(path).is_dir() else "no folder"
        raise refuse(Code.CATALOG_INVALID, str(path), found=f"{found} at {path}",
                     expected="a HATS catalogue or collection",
                     remedy="give the folder that holds collection.properties or hats.properties")


def catalog_schema(path: str | Path) -> pa.Schema:
    """Columns of a HATS catalogue or of a collection's primary one: all of them, with their types.

    Read from `dataset/_common_metadata`, or else from the first partition's footer. LSDB and HATS
    would say the same, and take four seconds to import.

    Raises
    ------
    TsmError
        `catalog.invalid` when there is no HATS catalogue at `path`, or none that can be read.
    """
    if is_remote(path):
        from pz_tsm_core.sky.objects import open_objects

        return open_objects(str(path)).schema
    root = Path(path)
    require_hats(root)
    try:
        dataset = root / _primary(root) / "dataset"
        common = dataset / "_common_metadata"
        file = common if common.is_file() else min(dataset.rglob("*.parquet"), default=common)
        return pq.read_schema(file)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise refuse(Code.CATALOG_INVALID, str(path), found=str(error).splitlines()[0],
                     expected="a HATS catalogue with its list of columns",
                     remedy="check the copy, or make it again with hats-import") from None


def _primary(root: Path) -> str:
    """Name of the primary catalogue in a collection; of a catalogue the folder itself."""
    file = root / _MARKS[0]
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    named = (line.partition("=") for line in lines)
    name = next((value.strip() for key, _, value in named
                 if key.strip() == "hats_primary_table_url"), ".")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise refuse(Code.CATALOG_INVALID, str(root), found=f"the primary table `{name}`",
                     expected="a folder inside the collection", remedy="check the copy")
    return name


def open_catalog(lsdb: Any, path: str | Path | UPath, columns: Sequence[str] | None = None) -> Any:
    """Open a HATS catalogue, with its default margin when it has one.

    Parameters
    ----------
    path : a `UPath` brings its own way to what is not on disk
    columns : names to load; None for all

    Raises
    ------
    TsmError
        `catalog.invalid` when HATS cannot open it, `catalog.missing-column` for every name that
        it lacks.
    """
    place = str(path) if isinstance(path, Path) else path
    try:
        with answering(path):
            catalog = lsdb.open_catalog(place, columns="all", **_VERIFIED)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise refuse(Code.CATALOG_INVALID, str(path), found=str(error),
                     expected="a HATS catalogue that lsdb can open",
                     remedy="check the copy, or make it again with hats-import") from error
    if columns is None:
        return catalog
    known = catalog.hc_structure.schema.names
    problems = Problems()
    for column in columns:
        if column not in known:
            problems.add(Code.CATALOG_COLUMN, f"{path}: column {column}", found="no such column",
                         expected="a column of the catalogue", remedy=nearest(column, known))
    problems.raise_if_any()
    return lsdb.open_catalog(place, columns=list(columns), **_VERIFIED)


@contextmanager
def answering(path: str | Path | UPath) -> Iterator[None]:
    """Tell a server that gives no answer apart from a catalogue that is not sound."""
    from botocore.exceptions import BotoCoreError  # a plan need not wait for it

    try:
        yield
    except (BotoCoreError, TimeoutError) as error:
        raise TransientError(
            Problem(Code.SERVICE_UNREACHABLE, str(path), str(error) or "no answer in time",
                    "a server that answers", "check the network and the server; run again")
        ) from error


def require_margin(catalog: Any, path: str | Path, radius_arcsec: float) -> None:
    """Refuse a catalogue whose margin would lose pairs at the borders of its partitions."""
    margin = catalog.margin
    width = margin.hc_structure.catalog_info.margin_threshold if margin is not None else 0
    if width < radius_arcsec:
        found = f"a margin of {width:g} arcsec" if margin is not None else "no margin"
        raise refuse(Code.CATALOG_MARGIN, str(path), found=found,
                     expected=f"at least the match radius, {radius_arcsec:g} arcsec",
                     remedy="take match.engine: range, which needs none; or the collection with it")
