"""Version records of products on the place that holds the store, whoever may see them.

A record is an object of its own, `products/<space>/<name>/<number>`, which appears whole and is won
by one writer. What is decided later are other objects beside it, `<number>-promoted` and
`<number>-withdrawn`, each the whole record with what was decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from pz_tsm_core.model.artifact import PUBLIC, Access, sha256_of
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.store.backend import MANIFEST, Backend
from pz_tsm_core.store.refusals import io_errors
from pz_tsm_core.store.seal import DamageError, sealed, unsealed

_SCHEMA = 2
_ROOT = "products"
_PROMOTED, _WITHDRAWN = "-promoted", "-withdrawn"
_NUMBER = re.compile(rf"([1-9][0-9]{{0,8}})({_PROMOTED}|{_WITHDRAWN})?")


class Decided(NamedTuple):
    """What was decided about a version after it was appended."""

    promoted: bool = False
    withdrawn: bool = False

    @property
    def mark(self) -> str:
        """How the object ends that says the last word."""
        return _WITHDRAWN if self.withdrawn else _PROMOTED if self.promoted else ""


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

    def numbers(self, space: str, name: str) -> dict[int, Decided]:
        """Numbers of all versions ever appended, ascending, and what was decided of each."""
        matches = map(_NUMBER.fullmatch, self._below(f"{_ROOT}/{space}/{name}"))
        found = {(int(match[1]), match[2] or "") for match in matches if match}
        return {number: Decided((number, _PROMOTED) in found, (number, _WITHDRAWN) in found)
                for number in sorted({number for number, _ in found})}

    def read(self, space: str, name: str, number: int, decided: Decided) -> ProductVersion:
        """Read a version.

        Raises
        ------
        RecordDamageError
            When it is not exactly what was appended there.
        """
        key = f"{_ROOT}/{space}/{name}/{number}{decided.mark}"
        try:
            with io_errors(self._location):
                content = self._read(key)
            said = unsealed(content, f"{self._location}: a product's record", schema=_SCHEMA)
            version = ProductVersion.model_validate(_migrated(said))
        except (DamageError, ValidationError) as damage:
            raise RecordDamageError(key, space, damage) from damage
        if _key(version) != key:
            raise RecordDamageError(key, space, f"it is the record {_key(version)}")
        return version

    def append(self, version: ProductVersion) -> bool:
        """Append a version, or what was decided of it; False when somebody was faster."""
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
                for number, decided in self.numbers(space, name).items():
                    version = self.read(space, name, number, decided)
                    if not decided.withdrawn:
                        yield version

    def _below(self, key: str) -> list[str]:
        with io_errors(self._location):
            return self._backend.names(key)

    def _read(self, key: str) -> bytes:
        try:
            return self._backend.read(f"{key}/{MANIFEST}")
        except FileNotFoundError:
            raise DamageError("there is a folder but no record") from None


def _migrated(said: dict[str, Any]) -> dict[str, Any]:
    """A record of an earlier schema as this one has it: without candidates and owners."""
    return {**said, "schema": _SCHEMA}


def _key(version: ProductVersion) -> str:
    mark = Decided(version.promoted is not None, version.withdrawn).mark
    return f"{_ROOT}/{space_of(version.access)}/{version.name}/{version.version}{mark}"
