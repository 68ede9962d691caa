"""Collection: what no product and no running process needs is deleted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.artifact import Manifest, Principal
from pz_tsm_core.store.backend import Backend
from pz_tsm_core.store.inspector import Inspector
from pz_tsm_core.store.keys import ADDRESS, OBJECTS, QUARANTINE, STAGING, TURNS, key_of
from pz_tsm_core.store.products import Products
from pz_tsm_core.store.seal import DamageError

#: Nothing is too young to be collected.
NO_TIME = timedelta(0)


@dataclass(frozen=True)
class Total:
    """How many artifacts, and their size."""

    artifacts: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Removed:
    """An artifact that was collected, or would be."""

    stage: str
    address: str
    bytes: int
    created: str  # UTC, ISO 8601


@dataclass(frozen=True)
class Collected:
    """What a collection did, or would do.

    Parameters
    ----------
    removed : artifacts that the principal may see; of others only how many
    others : artifacts that were removed and are not for the eyes of the principal
    for_products, for_runs : what was kept because a version of a product rests on it, and because
        a running process uses it
    left_over_bytes : what killed runs and collections left, swept too
    set_aside : damaged artifacts, which are kept in `.quarantine` for a look
    """

    removed: tuple[Removed, ...] = ()
    others: Total = Total()
    for_products: Total = Total()
    for_runs: Total = Total()
    left_over_bytes: int = 0
    set_aside: Total = Total()
    dry_run: bool = False


@dataclass(frozen=True)
class _Object:
    """An artifact as it stands; who may see a damaged one is not known."""

    stage: str
    address: str
    bytes: int
    manifest: Manifest | None

    @property
    def key(self) -> str:
        return key_of(self.stage, self.address)

    def is_younger_than(self, age: timedelta) -> bool:
        """Whether it was made within that time; of a damaged one nobody knows."""
        if self.manifest is None or not age:
            return False
        return datetime.now(UTC) - datetime.fromisoformat(self.manifest.created) < age

    def seen_by(self, principal: Principal) -> Removed | None:
        """What the principal may be told of it."""
        if self.manifest is None or not self.manifest.access.admits(principal):
            return None
        return Removed(self.stage, self.address, self.bytes, self.manifest.created)


class Collector:
    """Collects what stands in one place."""

    def __init__(self, backend: Backend, inspector: Inspector, products: Products) -> None:
        self._backend, self._inspector, self._products = backend, inspector, products

    def collect(
        self, principal: Principal, *, dry_run: bool, spare: timedelta = NO_TIME
    ) -> Collected:
        """Delete all that is not needed; the principal is told of what it may see.

        Killed at any point it leaves every artifact whole or gone.
        """
        if not {OBJECTS, STAGING, TURNS, QUARANTINE} & set(self._backend.names("")):
            # There is no store, and none is made.
            return Collected(dry_run=dry_run)
        left_over = self._backend.sweep(dry_run=dry_run)
        # Sizes are taken before, so that others wait for the decision alone.
        standing = list(self._standing())
        try:
            # What is held is asked before what is named: a run that ends now has its product.
            with self._backend.collecting() as held:
                named = self._products.addresses()
                unneeded = [each for each in standing if each.address not in held | named
                            and not each.is_younger_than(spare)]
                if not dry_run:
                    unneeded = [each for each in unneeded if self._backend.discard(each.key)]
        finally:
            if not dry_run:
                self._backend.sweep()
        return Collected(
            removed=tuple(told for each in unneeded if (told := each.seen_by(principal))),
            others=_total(each.bytes for each in unneeded if not each.seen_by(principal)),
            for_products=_total(each.bytes for each in standing if each.address in named),
            for_runs=_total(each.bytes for each in standing if each.address in held - named),
            left_over_bytes=left_over,
            set_aside=self._set_aside(),
            dry_run=dry_run,
        )

    def _standing(self) -> Iterator[_Object]:
        for stage in self._backend.names(OBJECTS):
            for start in self._backend.names(f"{OBJECTS}/{stage}"):
                for address in self._backend.names(f"{OBJECTS}/{stage}/{start}"):
                    if ADDRESS.fullmatch(address):  # whatever else lies there is nobody's
                        yield from self._objects(stage, address)

    def _objects(self, stage: str, address: str) -> Iterator[_Object]:
        """The artifact at an address; none while it is being written or taken away."""
        key = key_of(stage, address)
        try:
            manifest = self._inspector.manifest(key)
            if manifest is None:
                return
        except (DamageError, TsmError):  # TsmError: a later release wrote it
            manifest = None
        yield _Object(stage, address, self._bytes(key), manifest)

    def _set_aside(self) -> Total:
        return _total(self._bytes(f"{QUARANTINE}/{name}")
                      for name in self._backend.names(QUARANTINE))

    def _bytes(self, key: str) -> int:
        return sum(stamp.size for stamp in self._backend.files(key).values())


def _total(sizes: Iterable[int]) -> Total:
    listed = list(sizes)
    return Total(len(listed), sum(listed))
