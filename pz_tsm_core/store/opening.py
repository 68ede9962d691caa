"""Where a store is, and how it is opened."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.files import expanded
from pz_tsm_core.model.artifact import Principal
from pz_tsm_core.store.posix import PosixBackend
from pz_tsm_core.store.store import Store

LOCAL = Principal()


def default_location() -> str:
    """Location of the store when nobody says: PZ_TSM_STORE, else the user's data folder."""
    return os.environ.get("PZ_TSM_STORE") or str(user_data_path("pz-tsm") / "store")


def open_store(location: str | Path, principal: Principal = LOCAL) -> Store:
    """Open the store at a path, a `file://` URL or `s3://BUCKET/PREFIX`.

    What it needs there is made on the first publish. Server and credentials of S3 come from the
    environment, as for every program of Amazon's: AWS_ENDPOINT_URL, AWS_PROFILE, AWS_ACCESS_KEY_ID.

    Raises
    ------
    TsmError
        `store.unsupported` for other locations.
    """
    text = str(location).removeprefix("file://")
    if text.startswith("s3://"):
        from pz_tsm_core.store.s3 import Place, S3Backend  # its libraries take half a second

        place = Place.at(text)
        return Store(place.location, principal, S3Backend(place))
    root = expanded(text)
    if "://" in text or (root.exists() and not root.is_dir()):
        raise refuse(
            Code.STORE_UNSUPPORTED, str(location), found="a location that is no folder",
            expected="a folder on this machine or a file system that it mounts, or s3://BUCKET",
            remedy="give the path of a folder",
        )
    root = root.absolute()
    return Store(str(root), principal, PosixBackend(root))


def as_store(store: Store | str | Path | None = None) -> Store:
    """The store that somebody means: an open one, the one at a location, or the usual one.

    Who opens it is said by PZ_TSM_PRINCIPAL, as for the command line.
    """
    if isinstance(store, Store):
        return store
    principal = Principal(name=os.environ.get("PZ_TSM_PRINCIPAL", LOCAL.name))
    return open_store(store or default_location(), principal)
