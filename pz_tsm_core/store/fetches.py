"""What the store knows of former retrievals: small records, one a product."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import PUBLIC, Access
from pz_tsm_core.model.retrieval import FetchRecord
from pz_tsm_core.store.records import space_of

if TYPE_CHECKING:
    from pz_tsm_core.store.store import Store

_FOLDER = "sources"


class FetchRecords:
    """The records of a store that its principal may see."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, product: str) -> FetchRecord | None:
        """Record of the last retrieval of a product, if what it brought is still there.

        A retrieval for the principal alone counts before one for all.
        """
        return next((record for access in self._visible()
                     if (record := self._read(access, product)) and self._stands(record)), None)

    def all(self) -> tuple[FetchRecord, ...]:
        """Every record, by product; what it brought may have gone since."""
        known: dict[str, FetchRecord] = {}
        for access in self._visible():
            for product in self._store.recorded(f"{_FOLDER}/{space_of(access)}"):
                if product not in known and (record := self._read(access, product)):
                    known[product] = record
        return tuple(known[product] for product in sorted(known))

    def put(self, record: FetchRecord) -> None:
        """Keep a record in place of a former one."""
        said = record.model_dump(mode="json", by_alias=True)
        self._store.remember(_name(record.access, record.product), said)

    def _read(self, access: Access, product: str) -> FetchRecord | None:
        said = self._store.recall(_name(access, product))
        try:
            return FetchRecord.model_validate(said) if said else None
        except ValidationError:  # of a later release: the source is asked anew
            return None

    def _stands(self, record: FetchRecord) -> bool:
        try:
            return self._store.find(record.ref.address, record.ref.stage) is not None
        except TsmError as error:
            if error.codes != (Code.STORE_ACCESS,):
                raise
            return False

    def _visible(self) -> Iterator[Access]:
        principal = self._store.principal
        if principal.name:
            yield Access(kind="private", name=principal.name)
        yield from (Access(kind="rights", name=right) for right in sorted(principal.rights - {""}))
        yield PUBLIC


def _name(access: Access, product: str) -> str:
    return f"{_FOLDER}/{space_of(access)}/{product}"


def now() -> str:
    """The moment, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def age(moment: str) -> str:
    """How long ago a moment was, in words.

    Examples
    --------
    >>> age(now())
    'less than an hour old'
    """
    hours = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds() / 3600
    if hours < 1:
        return "less than an hour old"
    return f"{hours:.0f} hours old" if hours < 48 else f"{hours / 24:.0f} days old"
