"""Version records of products on the place that holds the store, whoever may see them.

A record is an object of its own, `products/<space>/<name>/<number>`, which appears whole and is won
by one writer. A withdrawal is another object beside it, `<number>-withdrawn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import ValidationError

from pz_tsm_core.model.artifact import PUBLIC, Access, sha256_of
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.store.backend import MANIFEST, Backend
from pz_tsm_core.store.refusals import io_errors
from pz_tsm_core.store.seal import DamageError, sealed, unsealed

_SCHEMA = 1
_ROOT = "products"
_WITHDRAWN = "-withdrawn"
_NUMBER = re.compile(rf"([1-9][0-9]{{0,8}})({_WITHDRAWN})?")


class RecordDamageError(DamageError):
    """A damaged record: where it stands, and in whose space."""

    def __init__(self, key: str, space: str, damage: object) -> None:
        super().__init__(f"{key}: {damage}")
        self.key, self.space = key, space


def space_of(access: Access) -> str:
    """Folder for the names of everybody, of the holders of a right, or of one owner.

    Owners and rights may be called anything, and folders may not: theirs is a digest.
    """
    return "public" if access == PUBLIC else sha256_of(str(access))[:32]


class Records:
    """All version records of a store.

    Parameters
    ----------
    location : of the store, for refusals
    """

    def __init__(self, backend: Backend, location: str) -> None:
        self._backend, self._location = backend, location

    def names(self, space: str) -> list[str]:
        """Names of products in a space, sorted."""
        return self._below(f"{_ROOT}/{space}")

    def numbers(self, space: str, name: str) -> dict[int, bool]:
        """Numbers of all versions ever appended, ascending, and whether each was withdrawn."""
        matches = map(_NUMBER.fullmatch, self._below(f"{_ROOT}/{space}/{name}"))
        found = sorted((int(match[1]), bool(match[2])) for match in matches if match)
        return dict(found)  # of one number the withdrawal comes last

    def read(self, space: str, name: str, number: int, *, withdrawn: bool) -> ProductVersion:
        """Read a version.

        Raises
        ------
        RecordDamageError
            When it is not exactly what was appended there.
        """
        key = f"{_ROOT}/{space}/{name}/{number}{_WITHDRAWN if withdrawn else ''}"
        try:
            with io_errors(self._location):
                content = self._read(key)
            said = unsealed(content, f"{self._location}: a product's record", schema=_SCHEMA)
            version = ProductVersion.model_validate(said)
        except (DamageError, ValidationError) as damage:
            raise RecordDamageError(key, space, damage) from damage
        if _key(version) != key:
            raise RecordDamageError(key, space, f"it is the record {_key(version)}")
        return version

    def append(self, version: ProductVersion) -> bool:
        """Append a version, or its withdrawal; False when that number is taken."""
        content = sealed(version.model_dump(mode="json", by_alias=True))
        with io_errors(self._location), self._backend.staging() as folder:
            return self._backend.publish(folder, _key(version), content)

    def standing(self) -> Iterator[ProductVersion]:
        """Every version of every space that is not withdrawn.

        Raises
        ------
        RecordDamageError
            When anything that stands among the records is none, or not whole.
        """
        for space in self._below(_ROOT):
            for name in self.names(space):
                for entry in self._below(f"{_ROOT}/{space}/{name}"):
                    if not _NUMBER.fullmatch(entry):
                        key = f"{_ROOT}/{space}/{name}/{entry}"
                        raise RecordDamageError(key, space, "no number of a version")
                for number, withdrawn in self.numbers(space, name).items():
                    version = self.read(space, name, number, withdrawn=withdrawn)
                    if not withdrawn:
                        yield version

    def _below(self, key: str) -> list[str]:
        with io_errors(self._location):
            return self._backend.names(key)

    def _read(self, key: str) -> bytes:
        try:
            return self._backend.read(f"{key}/{MANIFEST}")
        except FileNotFoundError:
            raise DamageError("there is a folder but no record") from None


def _key(version: ProductVersion) -> str:
    mark = _WITHDRAWN if version.withdrawn else ""
    return f"{_ROOT}/{space_of(version.access)}/{version.name}/{version.version}{mark}"
