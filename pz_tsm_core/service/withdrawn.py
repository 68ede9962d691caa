"""What a refresh handed over and somebody withdrew: it need not lie among the results any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pz_tsm_core.errors import TsmError
from pz_tsm_core.service.requests import SERVICE
from pz_tsm_core.service.site import Site
from pz_tsm_core.store import Store


def withdrawn_folders(site: Site, store: Store) -> Iterator[Path]:
    """Folders of versions that are handed out no more, among those with a folder for each."""
    for folder in sorted(Path(site.results.directory, SERVICE).glob("*/*/")):
        if folder.name.isdecimal() and int(folder.name) in _withdrawn(store, folder.parent.name):
            yield folder


def _withdrawn(store: Store, name: str) -> frozenset[int]:
    try:
        versions = store.products.versions(name)
    except TsmError:  # no product's folder
        return frozenset()
    return frozenset(each.version for each in versions if each.withdrawn)
