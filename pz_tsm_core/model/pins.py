"""Data outside the store, pinned by content: where it lies has no say in what it is."""

from __future__ import annotations

from pz_tsm_core.model.artifact import PUBLIC, Access, Sha256, Value
from pz_tsm_core.model.policy import Dereddening


class FilePin(Value):
    """A file with the sha256 of its bytes."""

    path: str
    sha256: Sha256
    access: Access = PUBLIC


class CatalogPin(Value):
    """A HATS catalogue with the digest of its properties and list of files.

    Parameters
    ----------
    columns : of it that the stages to come read
    """

    path: str
    digest: Sha256
    columns: tuple[str, ...]
    access: Access = PUBLIC


class DustPin(Value):
    """A choice of dust map and coefficients with the digests of both; none for no map."""

    choice: Dereddening
    digests: dict[str, Sha256]
