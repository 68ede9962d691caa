"""What a refresh handed over and somebody withdrew: it need not lie among the results any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.service.requests import SERVICE
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
    """Those of refreshes alone: no other result has a folder for each version."""
    for folder in sorted(Path(site.results.directory, SERVICE).glob("*/*/")):
        if folder.name.isdecimal() and int(folder.name) in _withdrawn(store, folder.parent.name):
            yield folder


def _withdrawn(store: Store, name: str) -> frozenset[int]:
    try:
        versions = store.products.versions(name)
    except TsmError:  # no product's folder
        return frozenset()
    return frozenset(each.version for each in versions if each.withdrawn)
