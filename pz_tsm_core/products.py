"""Named results from a notebook and from `tsm`: put a table of your own, list, open.

A store is given as what `open_store` gives, as its folder, or left out for the usual one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from pz_tsm_core.changes import tell_changed
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.frames import like
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef
from pz_tsm_core.model.product import LEFT_ALONE, MAIN_TABLE, ProductVersion, is_ref
from pz_tsm_core.model.stages import PUT
from pz_tsm_core.propose.look import readable
from pz_tsm_core.readers import FORMATS
from pz_tsm_core.readers.compression import COMPRESSIONS
from pz_tsm_core.store import Draft, Store, as_store
from pz_tsm_core.tables import digest, stream

#: Endings of file names that say how to read the file, and nothing of what it is.
_ENDINGS = {suffix for kind in FORMATS.values() for suffix in kind.suffixes} | {
    compression.suffix for compression in COMPRESSIONS}


def list_products(store: Store | str | Path | None = None) -> pd.DataFrame:
    """Every product that you may see, the newest version of each name first.

    Returns
    -------
    One row a version: product, version, kind, rows, access, created (UTC), candidate (whether it
    waits to be promoted). Where the artifact is missing or damaged, so are the rows.
    """
    opened = as_store(store)
    rows = [(version.name, version.version, version.kind, _rows(opened, version),
             str(version.access), version.created, version.waits)
            for version in opened.products.list()]
    table = pd.DataFrame(rows, columns=["product", "version", "kind", "rows", "access", "created",
                                        "candidate"])
    return table.astype({"version": "int64", "rows": "Int64", "candidate": "bool"})


def open_product(ref: str, store: Store | str | Path | None = None) -> Any:
    """Main table of a product as a pandas.DataFrame: `NAME`, `NAME@latest` or `NAME@7`.

    Raises
    ------
    TsmError
        `product.unknown`; `store.missing` or `store.corrupt` when its artifact is not whole;
        `product.name`.
    """
    opened = as_store(store)
    version = opened.products.get(ref)
    return like(opened.read_table(_main_artifact(opened, version), version.table), pd.DataFrame())


def put(
    path: str | Path,
    name: str | None = None,
    *,
    table: str | None = None,
    access: Access = PUBLIC,
    store: Store | str | Path | None = None,
) -> ProductVersion:
    """Take a table of redshifts into the store, checked, so that recipes can name it.

    The same table under the same name is the same version. Columns that hold no single values, or
    stand twice, are left alone; the artifact's notes name them.

    Parameters
    ----------
    path : a file of any format that is read, or a HATS folder
    name : of the product; by default made from the names of the file and the table
    table : of a file that holds several: path of an HDF5 group or dataset, name of a VOTable
        TABLE or of a FITS extension; by default the only or first one
    access : who may see it, and everything that is made from it

    Raises
    ------
    TsmError
        `product.name` for a name that is none, or stands for something else; `store.access`;
        `file.*`, `table.*` or `catalog.invalid` for what cannot be read; `file.changed`.
    """
    opened, source = as_store(store), Path(path)
    named = name if name is not None else name_for(source, table)
    opened.products.check(named, "table", access)  # before the work
    before = digest(source)

    def fill(draft: Draft) -> None:
        names, findings = readable(source, table)
        with stream(source, names, table=table) as read:
            rows = draft.write_table(MAIN_TABLE["table"], read.batches, read.schema)
        if digest(source) != before:
            raise refuse(Code.FILE_CHANGED, str(source), found="other bytes than a moment ago",
                         expected="a file that nobody writes to meanwhile", remedy="put it again")
        draft.rows(taken=rows, given=rows)
        draft.note(LEFT_ALONE, [finding.text for finding in findings])

    chosen = {"table": table} if table is not None else {}
    request = PUT.request(data={"file": before}, policy=chosen, access=access)
    ref = opened.publish(request, fill).ref
    version = opened.products.add(named, "table", {PUT.name: ref}, PUT.name)
    tell_changed(opened)
    return version


def name_for(path: Path, table: str | None = None) -> str:
    """A name for the product of a file, or of one of its tables, from their names.

    Raises
    ------
    TsmError
        `product.name` when there is nothing to make one from.

    Examples
    --------
    >>> name_for(Path("My Redshifts (v2).csv.gz"))
    'my_redshifts_v2'
    >>> name_for(Path("deep.hdf5"), "spectra/2026")
    'deep_spectra_2026'
    """
    stem = path.name.lower()
    while Path(stem).suffix in _ENDINGS:
        stem = Path(stem).stem
    name = re.sub(r"[^a-z0-9]+", "_", f"{stem}_{table or ''}".lower()).strip("_")[:63]
    try:
        return is_ref(name)
    except ValueError:
        raise refuse(Code.PRODUCT_NAME, str(path), found=f"`{path.name}`, of which no name is made",
                     expected="letters or digits in it", remedy="say how to call it") from None


def _main_artifact(store: Store, version: ProductVersion) -> ArtifactRef:
    """The artifact of a version whose files hold its main table: its result, if that does."""
    file = f"{version.table}.parquet"
    for ref in (version.ref, *version.artifacts.values()):
        if any(entry.path == file for entry in store.manifest(ref).files):
            return ref
    return version.ref


def _rows(store: Store, version: ProductVersion) -> int | None:
    manifest = store.peek(version.ref)
    return manifest.table_rows.get(version.table) if manifest else None
