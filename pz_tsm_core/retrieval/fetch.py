"""From the name of a survey to its verified table in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, TransientError, TsmError, refuse
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, sha256_of
from pz_tsm_core.model.product import MAIN_TABLE, ProductVersion
from pz_tsm_core.model.retrieval import (
    FetchPolicy,
    FetchRecord,
    FetchRequest,
    Wanted,
)
from pz_tsm_core.model.stages import FETCH
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.progress import counted
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval.choice import choose
from pz_tsm_core.retrieval.compare import drift, shrunk
from pz_tsm_core.retrieval.looking import Looked, look
from pz_tsm_core.retrieval.reading import Reading
from pz_tsm_core.retrieval.scratch import parts
from pz_tsm_core.store import Draft, FetchRecords, Store
from pz_tsm_core.store.fetches import age, now

#: Failures of the way to a service, after which what the store has may serve.
_AWAY = {Code.SERVICE_UNREACHABLE, Code.SERVICE_TIMEOUT}

#: Name of the table in the artifact, as of what `tsm put` takes in.
_TABLE = MAIN_TABLE["table"]


State = Literal["new", "changed", "unchanged", "kept", "offline"]


@dataclass(frozen=True)
class Fetched:
    """What the store has of a survey after a retrieval.

    Parameters
    ----------
    state : `new` the first time, `changed` since the former, `unchanged`; `kept` where nobody was
        asked, `offline` where nobody answered
    remarks : what has changed, how old it is
    """

    survey: str
    state: State
    version: ProductVersion
    record: FetchRecord
    remarks: tuple[str, ...] = ()

    @property
    def ref(self) -> ArtifactRef:
        """The artifact: its table `native` has the native columns of the survey."""
        return self.record.ref


def fetch_survey(
    store: Store,
    survey: Survey,
    wanted: Wanted | None = None,
    *,
    reach: Reach,
    policy: FetchPolicy = "if-changed",
    asked_service: str | None = None,
    access: Access = PUBLIC,
    accept: bool = False,
) -> Fetched:
    """Bring a survey, or part of it, into the store, from where it is published.

    The table is compared with the definition of the survey before and while it is read, and
    published whole or not at all. It stands at an address that follows from its content, as a
    product that recipes and people can name. Where nobody answers, what the store has is given,
    and its age said.

    Parameters
    ----------
    policy : `never` asks nobody, `if-changed` asks whether there is something new, `always` brings
        everything again
    asked_service : one of the services that give the survey; by default the first of them
    access : who may see it
    accept : take a catalogue also when many of its rows have gone since

    Raises
    ------
    TsmError
        `source.none`, `source.missing`, `source.changed`; `service.*` and `remote.*`; what the
        readers refuse; `store.*`. Then the store is as it was.
    """
    part = wanted or Wanted()
    product = part.product(survey.key)
    if policy != "never" or access != PUBLIC:  # what the store has brings its own
        store.products.check(product, "table", access)
    known = FetchRecords(store).get(product)
    if policy == "never":
        return _kept(store, survey, product, known)
    retrieval = _Retrieval(store, survey, part, reach, access)
    request = FetchRequest(survey=survey.key, release=survey.release,
                           sources=choose(survey, asked_service),
                           columns=tuple(sorted(survey.native_columns)), wanted=part)
    try:
        return retrieval.carry_out(request, known, policy, accept=accept)
    except TransientError as error:
        if policy == "always" or known is None or not _AWAY.issuperset(error.codes):
            raise
        return _kept(store, survey, product, known, why=error.problems[0].found)


def _kept(
    store: Store, survey: Survey, product: str, known: FetchRecord | None, *, why: str = ""
) -> Fetched:
    """What the store has, with its age; a refusal when it has nothing that serves."""
    version = _standing(store, known) if known else None
    found = _unfit(survey, known, version)
    if known is None or version is None or found:
        raise refuse(
            Code.SOURCE_MISSING, f"survey `{survey.key}`", found=found,
            expected=f"`{product}` in the store {store.location}",
            remedy=f"fetch it where there is a way out: `tsm fetch {survey.key}`",
        )
    told = (f"not reached: {why}",) if why else ()
    return Fetched(survey.key, "offline" if why else "kept", version, known,
                   (*told, f"last compared with its source: {age(known.checked)}"))


def _unfit(survey: Survey, known: FetchRecord | None, version: ProductVersion | None) -> str:
    """Why what the store has of a survey does not serve; empty when it does."""
    if known is None:
        return "never fetched"
    if version is None:
        return "withdrawn"
    if known.request.release != survey.release:
        return f"fetched as {known.request.release}, and its definition is of {survey.release}"
    lacking = sorted(survey.native_columns - set(known.request.columns))
    return "fetched without " + ", ".join(f"`{name}`" for name in lacking) if lacking else ""


def _standing(store: Store, record: FetchRecord) -> ProductVersion | None:
    """The newest version that names what was fetched; None when all were withdrawn."""
    try:
        versions = store.products.versions(record.product)
    except TsmError as error:
        if error.codes != (Code.PRODUCT_UNKNOWN,):
            raise
        return None
    return next((each for each in versions
                 if not each.withdrawn and each.ref.content == record.ref.content), None)


def _version(store: Store, record: FetchRecord) -> ProductVersion:
    """The version that names what was fetched; named again if it was withdrawn."""
    return store.products.add(record.product, "table", {FETCH.name: record.ref}, FETCH.name)


def _state(former: FetchRecord | None, record: FetchRecord) -> State:
    if former is None:
        return "new"
    return "unchanged" if former.ref.content == record.ref.content else "changed"


@dataclass(frozen=True)
class _Retrieval:
    """One retrieval: who asks, for what, into which store."""

    store: Store
    survey: Survey
    wanted: Wanted
    reach: Reach
    access: Access

    def carry_out(
        self, request: FetchRequest, known: FetchRecord | None, policy: FetchPolicy, *, accept: bool
    ) -> Fetched:
        former = known if known and known.request == request and known.access == self.access \
            else None
        asked = former.validators if former and policy == "if-changed" else ()
        looked = self._look(request, asked)
        if former and all(part.offer.unchanged for part in looked):
            record = former.model_copy(update={"checked": now()})
            FetchRecords(self.store).put(record)
            return Fetched(self.survey.key, "unchanged", _version(self.store, record), record)
        if any(part.offer.unchanged for part in looked):  # all parts or none
            looked = self._look(request, ())
        return self._bring(request, looked, former, accept=accept)

    def _look(self, request: FetchRequest, validators: tuple[str, ...]) -> list[Looked]:
        """Ask the service about every part; all that is wrong with any is told together."""
        known, problems, looked = validators or ("",) * len(request.sources), Problems(), []
        for place, validator in zip(request.sources, known, strict=True):
            try:
                looked.append(look(self.survey, place, self.reach, self.wanted, validator))
            except TransientError:
                raise
            except TsmError as error:
                problems.extend(error.problems)
        problems.raise_if_any()
        return looked

    def _bring(
        self, request: FetchRequest, looked: list[Looked], former: FetchRecord | None, *,
        accept: bool
    ) -> Fetched:
        validators = tuple(part.offer.validator for part in looked)
        key = sha256_of([request.model_dump(mode="json"), validators])
        reading = Reading(self.survey, self.wanted, self.reach)
        with parts(self.store.beside("fetches"), key, self.reach.deadline) as folder:

            def fill(draft: Draft) -> None:
                rows = chain.from_iterable(
                    self._rows(part, reading, folder / str(number))
                    for number, part in enumerate(looked))
                draft.write_table(_TABLE, self._filled(rows))
                self._close(draft, reading, looked, former, accept=accept)

            manifest = self.store.take_in(fill, lambda draft: FETCH.request(
                data={_TABLE: draft.tables[_TABLE].hexdigest()}, access=self.access))
        record = FetchRecord(
            product=self.wanted.product(self.survey.key), request=request, validators=validators,
            columns=reading.columns, rows=reading.taken, given=reading.given, ref=manifest.ref,
            access=self.access, fetched=now(), checked=now())
        version = _version(self.store, record)
        FetchRecords(self.store).put(record)
        changes = tuple(drift(former, reading.columns, reading.taken)) if former else ()
        return Fetched(self.survey.key, _state(former, record), version, record, changes)

    def _rows(self, part: Looked, reading: Reading, folder: Path) -> Iterator[pa.RecordBatch]:
        folder.mkdir(exist_ok=True)
        pieces = part.service.pull(part.ask, part.offer, folder)
        rows = reading.batches(pieces, part.ask.columns, part.where, part.offer.rows)
        return counted(rows, "rows", part.offer.rows, size=len)

    def _filled(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches that hold rows; a refusal when none does."""
        filled = (batch for batch in rows if len(batch))
        first = next(filled, None)
        if first is None:
            raise refuse(
                Code.TABLE_EMPTY, f"survey `{self.survey.key}`", found="no rows",
                expected="at least one in the region" if not self.wanted.whole else "a catalogue",
                remedy="look where the survey was: `tsm surveys show " + self.survey.key + "`")
        return chain([first], filled)

    def _close(
        self, draft: Draft, reading: Reading, looked: list[Looked], former: FetchRecord | None, *,
        accept: bool
    ) -> None:
        """The account of the rows; and a refusal when too many have gone since."""
        if former and not accept and (problems := list(
                shrunk(former, reading.taken, self.survey))):
            raise TsmError(*problems)
        draft.rows(reading.taken, reading.given, {
            reason: count for reason, count in (("outside_region", reading.outside),
                                                ("beyond_limit", reading.beyond)) if count})
        draft.note("source", {
            "survey": self.survey.key, "release": self.survey.release,
            "service": [part.where for part in looked],
            "columns": dict(looked[0].ask.columns),
            "wanted": self.wanted.model_dump(mode="json", exclude_defaults=True)})
