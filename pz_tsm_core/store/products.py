"""Named versions: appended once, never changed, seen only by those who may see what they name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pz_tsm_core.errors import Code, TsmError, nearest, refuse
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, strictest
from pz_tsm_core.model.product import ProductKind, ProductVersion, split_ref
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.records import RecordDamageError, Records, space_of
from pz_tsm_core.store.refusals import admit

if TYPE_CHECKING:
    from pz_tsm_core.store.store import Store

_LOG = logging.getLogger(__name__)


class Products:
    """The named versions of a store, as its principal sees them.

    Names live in spaces: one for all, one for each data right, one for each owner. A principal
    sees a name in the narrowest of these that has it, and of other principals' spaces nothing:
    what may not be seen leaves no gap in the numbers, no refusal and no hint.

    Parameters
    ----------
    store : where the artifacts are, opened by the principal
    records : of all principals
    """

    def __init__(self, store: Store, records: Records) -> None:
        self._store, self._records = store, records

    def names(self) -> tuple[str, ...]:
        """Names of all products that have a version to hand out, sorted."""
        spaces = map(space_of, self._visible())
        seen = {name for space in spaces for name in self._records.names(space)}
        return tuple(sorted(name for name in seen if _latest(self._numbers(name))))

    def versions(self, name: str) -> tuple[ProductVersion, ...]:
        """All versions of a product, the newest first, with those that were withdrawn.

        A damaged record is left out with a warning.

        Raises
        ------
        TsmError
            `product.unknown`; `product.name`; `store.io`.
        """
        numbers = self._numbers(_plain(name))
        if not numbers:
            raise self._unknown(name, None, numbers)
        return tuple(version for number in reversed(numbers)
                     if (version := self._whole(name, number)))

    def list(self) -> tuple[ProductVersion, ...]:
        """Every version that can be had, by name, the newest first."""
        return tuple(version for name in self.names() for version in self.versions(name)
                     if not version.withdrawn)

    def get(self, ref: str) -> ProductVersion:
        """The version that `NAME`, `NAME@latest` or `NAME@7` names.

        What it rests on is not collected as long as this store is open.

        Raises
        ------
        TsmError
            `product.unknown` when the principal sees no such version, or it was withdrawn;
            `product.name`; `store.corrupt` when its record is damaged; `store.io`.
        """
        name, asked = split_ref(ref)
        numbers = self._numbers(name)
        number = _latest(numbers) if asked is None else asked
        if number is None or numbers.get(number, True):
            raise self._unknown(name, asked, numbers)
        try:
            version = self._read(name, number)
        except RecordDamageError as damage:
            raise self._damaged(damage, "the record that was appended") from damage
        for artifact in version.artifacts.values():
            self._store.hold(artifact.address)
        return version

    def add(
        self, name: str, kind: ProductKind, artifacts: Mapping[str, ArtifactRef], result: str
    ) -> ProductVersion:
        """Append a version for those who may see all of its artifacts, and give it.

        When the latest version has the same kind and content, that one is given instead.

        Parameters
        ----------
        artifacts : everything that the version rests on, by label; all must exist
        result : label of the artifact that is handed out

        Raises
        ------
        TsmError
            `store.missing`, `store.corrupt` or `store.access` for an artifact; as `check`;
            `store.io`.
        """
        kept = {label: self._store.manifest(ref).ref for label, ref in artifacts.items()}
        access = strictest(ref.access for ref in kept.values())
        self.check(name, kind, access)
        draft = ProductVersion(name=name, version=1, kind=kind, artifacts=kept, result=result,
                               access=access, created=_now())
        while True:
            numbers = self._records.numbers(space_of(access), name)
            if standing := self._same(draft, _latest(numbers)):
                return standing
            version = draft.model_copy(update={"version": max(numbers, default=0) + 1})
            point("add.before")
            if self._records.append(version):
                point("add.after")
                return version

    def check(self, name: str, kind: ProductKind, access: Access) -> None:
        """Refuse a name that this principal already sees as something else.

        So a reference never comes to mean another product for those who use it.

        Raises
        ------
        TsmError
            `product.name` when the name is none, or stands for another kind, or for others;
            `store.access` when the principal could not see what it names.
        """
        admit(self._store.principal, access, _plain(name))
        for other in self._visible():
            if other != access and self._records.numbers(space_of(other), name):
                raise _taken(name, f"a product for {other}", f"a product for {access}")
        newest = max(self._records.numbers(space_of(access), name), default=None)
        standing = self._whole(name, newest) if newest else None
        if standing and standing.kind != kind:
            raise _taken(name, f"a product of kind {standing.kind}", f"one of kind {kind}")

    def withdraw(self, ref: str) -> ProductVersion:
        """Hand a version out no more; its number is never used again.

        What it alone rested on may be collected from now on.

        Raises
        ------
        TsmError
            As `get`.
        """
        version = self.get(ref).model_copy(update={"withdrawn": True})
        self._records.append(version)  # if somebody was faster, it is withdrawn all the same
        return version

    def addresses(self) -> frozenset[str]:
        """Addresses of everything that any version rests on, whoever may see it.

        Raises
        ------
        TsmError
            `store.corrupt` when any record is damaged: what it named cannot be known.
        """
        try:
            return frozenset(artifact.address for version in self._records.standing()
                             for artifact in version.artifacts.values())
        except RecordDamageError as damage:
            expected = "whole records: nothing is collected before they are"
            raise self._damaged(damage, expected) from damage

    def _visible(self) -> Iterator[Access]:
        """The spaces of the principal, the narrowest first."""
        principal = self._store.principal
        if principal.name:
            yield Access(kind="private", name=principal.name)
        for right in sorted(principal.rights - {""}):
            yield Access(kind="rights", name=right)
        yield PUBLIC

    def _space(self, name: str) -> str:
        """The narrowest space that has the name; the public one when none has."""
        spaces = map(space_of, self._visible())
        return next((space for space in spaces if self._records.numbers(space, name)),
                    space_of(PUBLIC))

    def _numbers(self, name: str) -> dict[int, bool]:
        return self._records.numbers(self._space(name), name)

    def _read(self, name: str, number: int) -> ProductVersion:
        space = self._space(name)
        withdrawn = self._records.numbers(space, name)[number]
        return self._records.read(space, name, number, withdrawn=withdrawn)

    def _whole(self, name: str, number: int) -> ProductVersion | None:
        """A version if its record is whole; else None, with a warning."""
        try:
            return self._read(name, number)
        except RecordDamageError as damage:
            _LOG.warning("%s@%d is damaged and left out: %s", name, number, str(damage))
            return None

    def _same(self, draft: ProductVersion, latest: int | None) -> ProductVersion | None:
        """The latest version, if it says what the draft says and all that it rests on is there."""
        standing = self._whole(draft.name, latest) if latest else None
        if standing is None or standing.ref.content != draft.ref.content:
            return None
        return standing if all(map(self._store.peek, standing.artifacts.values())) else None

    def _unknown(self, name: str, asked: int | None, numbers: Mapping[int, bool]) -> TsmError:
        standing = [number for number, withdrawn in numbers.items() if not withdrawn]
        if not numbers:
            names = self.names()
            return refuse(Code.PRODUCT_UNKNOWN, name, found="no product of this name",
                          expected=f"a product that `{self._store.principal.name}` may see",
                          remedy=nearest(name, names) if names else "make one: `tsm put FILE`")
        gone = "every version withdrawn" if asked is None else f"version {asked}, withdrawn"
        return refuse(
            Code.PRODUCT_UNKNOWN, name if asked is None else f"{name}@{asked}",
            found=gone if asked is None or asked in numbers else f"no version {asked}",
            expected=("one of its versions: " + ", ".join(map(str, standing)) if standing
                      else "a version that is not withdrawn"),
            remedy=f"use {name}@latest" if standing else "run its recipe or put its file again",
        )

    def _damaged(self, damage: RecordDamageError, expected: str) -> TsmError:
        """Say which record is damaged, unless it is not for the eyes of this principal."""
        seen = damage.space in map(space_of, self._visible())
        where = damage.key if seen else "a record of another principal"
        return refuse(
            Code.STORE_CORRUPT, f"{self._store.location}: {where}",
            found=str(damage) if seen else "damage", expected=expected,
            remedy="put the folder back from a backup; without one, remove it: what only that "
            "version named is then collected",
        )


def _plain(name: str) -> str:
    """The name, if it is one without a version."""
    if split_ref(name)[1] is not None or "@" in name:
        raise refuse(Code.PRODUCT_NAME, name, found="a name with a version",
                     expected="a name alone", remedy="leave out what follows the @")
    return name


def _latest(numbers: Mapping[int, bool]) -> int | None:
    return max((number for number, withdrawn in numbers.items() if not withdrawn), default=None)


def _taken(name: str, found: str, expected: str) -> TsmError:
    return refuse(Code.PRODUCT_NAME, name, found=f"the name of {found}",
                  expected=f"a name that is free, or of {expected}", remedy="choose another name")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
