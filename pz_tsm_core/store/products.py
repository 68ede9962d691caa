"""Named versions: appended once, never changed, seen only by those who may see what they name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pz_tsm_core.errors import Code, TsmError, nearest, refuse
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, strictest
from pz_tsm_core.model.guard import Judgement
from pz_tsm_core.model.product import (
    ProductKind,
    ProductVersion,
    Promotion,
    candidates_of,
    split_ref,
)
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.naming import (
    damaged,
    narrowed,
    no_such_version,
    none_waits,
    plain,
    standing,
    superseded,
    taken,
)
from pz_tsm_core.store.records import Decided, RecordDamageError, Records, space_of
from pz_tsm_core.store.refusals import admit

if TYPE_CHECKING:
    from pz_tsm_core.store.store import Store

_LOG = logging.getLogger(__name__)

#: Says of a version that is not appended yet whether it may become `latest`; gets the latest one.
Guard = Callable[[ProductVersion | None], Judgement]


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
        return tuple(sorted(name for name in seen if standing(self._numbers(name))))

    def versions(self, name: str) -> tuple[ProductVersion, ...]:
        """All versions of a product, the newest first, with candidates and withdrawn ones.

        A damaged record is left out with a warning.

        Raises
        ------
        TsmError
            `product.unknown`; `product.name`; `store.io`.
        """
        numbers = self._numbers(plain(name))
        if not numbers:
            raise self._unknown(name, None, numbers)
        return tuple(version for number in reversed(numbers)
                     if (version := self._whole(name, number)))

    def list(self) -> tuple[ProductVersion, ...]:
        """Every version that can be had, by name, the newest first; candidates among them."""
        return tuple(version for name in self.names() for version in self.versions(name)
                     if not version.withdrawn)

    def get(self, ref: str) -> ProductVersion:
        """The version that `NAME`, `NAME@latest` or `NAME@7` names.

        The latest is the one of the greatest number that was not withdrawn, and is no candidate
        that waits. What the version rests on is not collected as long as this store is open.

        Raises
        ------
        TsmError
            `product.unknown` when the principal sees no such version, or it was withdrawn, or all
            of that name wait; `product.name`; `store.corrupt` when its record is damaged;
            `store.io`.
        """
        name, asked = split_ref(ref)
        numbers = self._numbers(name)
        try:
            if asked is None:
                version = self._latest(name, numbers, self._read)
            else:
                version = self._read(name, asked) if asked in standing(numbers) else None
        except RecordDamageError as damage:
            raise self._damaged(damage, "the record that was appended") from damage
        if version is None:
            raise self._unknown(name, asked, numbers)
        for artifact in version.artifacts.values():
            self._store.hold(artifact.address)
        return version

    def candidates(self, name: str) -> tuple[ProductVersion, ...]:
        """Versions that wait, and may become the latest; the newest first.

        A candidate that a newer version has passed by is none any more.

        Raises
        ------
        TsmError
            As `versions`.
        """
        return candidates_of(self.versions(name))

    def add(
        self, name: str, kind: ProductKind, artifacts: Mapping[str, ArtifactRef], result: str, *,
        access: Access | None = None, owner: str = "", candidate: bool = False,
        guard: Guard | None = None,
    ) -> ProductVersion:
        """Append a version for those who may see all of its artifacts, and give it.

        When the latest version has the same kind and content, that one is given instead; a
        candidate that says the same as one that waits is that one.

        Parameters
        ----------
        artifacts : everything that the version rests on, by label; all must exist
        result : label of the artifact that is handed out
        access : who may see the version, if fewer than may see all of its artifacts
        owner : whose it is, among those who may see it; nobody else adds to the name
        candidate : whether it waits until it is promoted, and `latest` stays what it is
        guard : is asked for a judgement, which the version keeps; one that fails makes it wait.
            Asked again when another version becomes the latest meanwhile.

        Raises
        ------
        TsmError
            `store.missing`, `store.corrupt` or `store.access` for an artifact; as `check`;
            `store.io`.
        """
        kept = {label: self._store.manifest(ref).ref for label, ref in artifacts.items()}
        inside = strictest(ref.access for ref in kept.values())
        self.check(name, kind, inside, narrowed_to=access, owner=owner)
        seen_by = narrowed(name, inside, access)
        draft = ProductVersion(name=name, version=1, kind=kind, artifacts=kept, result=result,
                               access=seen_by, created=_now(), owner=owner, candidate=candidate)
        while not (version := self._offer(draft, guard)):
            pass  # somebody else won that number
        return version

    def check(
        self, name: str, kind: ProductKind, access: Access, *, narrowed_to: Access | None = None,
        owner: str = "",
    ) -> None:
        """Refuse a name that this principal already sees as something else, or somebody else's.

        So a reference never comes to mean another product for those who use it. A name belongs to
        whoever owns its first version. What only one person sees is theirs, whoever made it.

        Parameters
        ----------
        access : of what is in it
        narrowed_to : who may see it under its name, if fewer
        owner : who wants it

        Raises
        ------
        TsmError
            `product.name` when the name is none, stands for another kind or for others, or has
            another owner;
            `store.access` when the principal could not see what it names.
        """
        access = narrowed(plain(name), access, narrowed_to)
        admit(self._store.principal, access, name)
        # The narrowest space that has the name is the one in which this principal sees it.
        seen_as = next((other for other in self._visible()
                        if self._records.numbers(space_of(other), name)), access)
        if seen_as != access:
            raise taken(name, f"a product for {seen_as}", f"a product for {access}")
        newest = max(self._records.numbers(space_of(access), name), default=None)
        known = self._whole(name, newest) if newest else None
        if known and known.kind != kind:
            raise taken(name, f"a product of kind {known.kind}", f"one of kind {kind}")
        self._require_owner(name, access, owner)

    def promote(self, ref: str, *, by: str | None = None) -> ProductVersion:
        """Let a candidate become the latest, and give it as it stands then.

        Without a number it is the newest one that waits. What is the latest already stays so.

        Parameters
        ----------
        by : who decided; by default the principal

        Raises
        ------
        TsmError
            `product.unknown` when nothing waits; `product.superseded` for a version that a newer
            one has passed by; as `get`.
        """
        name, asked = split_ref(ref)
        waiting = () if asked else self.candidates(name)
        if not (asked or waiting):
            raise none_waits(name)
        version = self.get(str(waiting[0]) if waiting else ref)
        latest = self._latest(name, self._numbers(name), self._whole)
        if latest and latest.version > version.version:
            raise superseded(version, latest)
        if version.waits:
            promotion = Promotion(by=by or self._store.principal.name, at=_now())
            # If somebody was faster, it is promoted all the same.
            self._records.append(version.model_copy(update={"promoted": promotion}))
        return self.get(str(version))

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

    def _offer(self, draft: ProductVersion, guard: Guard | None) -> ProductVersion | None:
        """What says the same already, or the draft as a version; None when its number is taken."""
        numbers = self._records.numbers(space_of(draft.access), draft.name)
        self._require_owner(draft.name, draft.access, draft.owner)  # somebody may have been faster
        latest = self._latest(draft.name, numbers, self._whole)
        if latest and self._says(latest, draft) and self._known_above(latest, numbers):
            return latest
        version = _judged(draft, guard(latest)) if guard else draft
        version = version.model_copy(update={"version": max(numbers, default=0) + 1})
        if version.waits and (waiting := self._waiting(version)):
            return waiting
        if guard and self._now_latest(draft) != latest:
            return None  # it was held against what is the latest no more; no number tells of that
        point("add.before")
        appended = self._records.append(version)
        point("add.after")
        return version if appended else None

    def _require_owner(self, name: str, access: Access, owner: str) -> None:
        """Refuse whoever does not own the first version that can be read."""
        numbers = () if access.kind == "private" else self._records.numbers(space_of(access), name)
        first = next(filter(None, (self._whole(name, number) for number in numbers)), None)
        if first and first.owner != owner:
            raise taken(name, f"a product of {first.owner or 'the operator'}",
                        f"one of {owner or 'the operator'}")

    def _now_latest(self, draft: ProductVersion) -> ProductVersion | None:
        numbers = self._records.numbers(space_of(draft.access), draft.name)
        return self._latest(draft.name, numbers, self._whole)

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

    def _numbers(self, name: str) -> dict[int, Decided]:
        return self._records.numbers(self._space(name), name)

    def _read(self, name: str, number: int) -> ProductVersion:
        space = self._space(name)
        decided = self._records.numbers(space, name)[number]
        return self._records.read(space, name, number, decided)

    def _whole(self, name: str, number: int) -> ProductVersion | None:
        """A version if its record is whole; else None, with a warning."""
        try:
            return self._read(name, number)
        except RecordDamageError as damage:
            _LOG.warning("%s@%d is damaged and left out: %s", name, number, str(damage))
            return None

    def _latest(
        self, name: str, numbers: Mapping[int, Decided],
        read: Callable[[str, int], ProductVersion | None],
    ) -> ProductVersion | None:
        """The newest version that stands and does not wait; what `read` leaves out is none."""
        found = (read(name, number) for number in reversed(standing(numbers)))
        return next((version for version in found if version and not version.waits), None)

    def _waiting(self, draft: ProductVersion) -> ProductVersion | None:
        """The newest candidate that says what the draft says, if there is one."""
        known = self.candidates(draft.name) if self._numbers(draft.name) else ()
        return next((version for version in known if self._says(version, draft)), None)

    def _says(self, version: ProductVersion, draft: ProductVersion) -> bool:
        """Whether a version says what the draft says, and all that it rests on is there."""
        return (version.ref.content == draft.ref.content
                and all(map(self._store.peek, version.artifacts.values())))

    def _known_above(self, latest: ProductVersion, numbers: Mapping[int, Decided]) -> bool:
        """Whether no record is damaged that may be the latest in the place of this one."""
        return all(self._whole(latest.name, number) for number in standing(numbers)
                   if number > latest.version)

    def _unknown(
        self, name: str, asked: int | None, numbers: Mapping[int, Decided]
    ) -> TsmError:
        if not numbers:
            names = self.names()
            return refuse(Code.PRODUCT_UNKNOWN, name, found="no product of this name",
                          expected=f"a product that `{self._store.principal.name}` may see",
                          remedy=nearest(name, names) if names else "make one: `tsm put FILE`")
        return no_such_version(name, asked, numbers)

    def _damaged(self, damage: RecordDamageError, expected: str) -> TsmError:
        seen = damage.space in map(space_of, self._visible())
        return damaged(self._store.location, damage, expected, seen=seen)


def _judged(draft: ProductVersion, judgement: Judgement) -> ProductVersion:
    """The draft with its judgement; one that fails makes it a candidate."""
    waits = draft.candidate or not judgement.passed
    return draft.model_copy(update={"judgement": judgement, "candidate": waits})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
