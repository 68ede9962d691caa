"""What was handed over and somebody withdrew: it need not lie among the results any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.service.requests import PRIVATE, SERVICE
from pz_tsm_core.service.site import Site
from pz_tsm_core.store import Store


def clear_withdrawn(site: Site, store: Store, *, dry_run: bool) -> tuple[Path, ...]:
    """Remove the folders of versions that are handed out no more; give them.

    Raises
    ------
    TsmError
        `output.write` when one cannot be removed.
    """
    folders = tuple(_withdrawn_folders(site, store))
    for folder in () if dry_run else folders:
        try:
            with suppress(FileNotFoundError):  # somebody else clears too
                shutil.rmtree(folder)
        except OSError as error:
            raise refuse(Code.OUTPUT_WRITE, str(folder), found=error.strerror or str(error),
                         expected="a folder of results that the service may remove",
                         remedy="give it back to the user of the service") from error
    return folders


def _withdrawn_folders(site: Site, store: Store) -> Iterator[Path]:
    """Where a guard looks, each version has a folder; what is private, its owner alone sees."""
    for folder in sorted(Path(site.results.directory).glob("*/*/*/")):
        owner, name, number = folder.parts[-3:]
        if owner == PRIVATE or not number.isdecimal():
            continue
        if int(number) in _withdrawn(store, name, owner):
            yield folder


def _withdrawn(store: Store, name: str, owner: str) -> frozenset[int]:
    try:
        versions = store.products.versions(name)
    except TsmError:  # no product's folder
        return frozenset()
    return frozenset(each.version for each in versions
                     if each.withdrawn and (each.owner or SERVICE) == owner)
