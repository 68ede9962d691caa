"""Where the redshifts of a recipe come from: files, products, and surveys that were fetched."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pz_tsm_core.errors import Code, Problem, TsmError, refuse
from pz_tsm_core.model.artifact import Access, ArtifactRef
from pz_tsm_core.model.pins import FilePin
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.recipe import Redshifts, SurveyFile, TableSource, is_address
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.recipes import survey_of_entry, wanted_of_entry
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import own_surveys, survey_of_table
from pz_tsm_core.tables import digest
from tasks.fetch import label_of


@dataclass(frozen=True)
class Unfetched:
    """Stands for the table of a survey that is yet to be fetched.

    Parameters
    ----------
    label : of its retrieval
    why : what the store has does not serve
    access : who will see it
    """

    label: str
    why: str
    access: Access


@dataclass(frozen=True)
class Source:
    """Native redshifts, in a file or in the store already, and the survey whose shape they have."""

    survey: Survey
    native: FilePin | ArtifactRef | Unfetched


@dataclass(frozen=True)
class Origins:
    """What a recipe's redshifts are made of, as far as it is here; nobody else is asked.

    Parameters
    ----------
    allow_unfetched : whether surveys may be yet to be fetched; else they are mistakes
    """

    redshifts: Redshifts
    store: Store
    allow_unfetched: bool = False

    def problems(self, *, surveys: bool) -> Iterator[Problem]:
        """What the store lacks, or has in another shape, or for other eyes.

        Parameters
        ----------
        surveys : whether to look for those to be fetched, too; all that are named exist
        """
        entries = (*self.redshifts.surveys, *self.redshifts.tables)
        attempts: list[Callable[[], Any]] = [
            *(partial(self._product, each.product) for each in entries if each.product),
            self.compilation,
            *(partial(self._fetched, each) for each in self.redshifts.surveys
              if surveys and each.fetched and each.access.admits(self.store.principal)),
        ]
        for attempt in attempts:
            try:
                attempt()
            except TsmError as error:
                yield from error.problems

    def sources(self) -> tuple[Source, ...]:
        """Everything that is read as redshifts, in the order of the recipe."""
        surveys = [Source(survey_of_entry(each, self._own),
                          self._fetched(each) if each.fetched else self._native(each))
                   for each in self.redshifts.surveys]
        tables = [Source(survey_of_table(each), self._native(each))
                  for each in self.redshifts.tables]
        return (*surveys, *tables)

    def compilation(self) -> ArtifactRef | None:
        """The compilation that the recipe starts from: of a product, or at an address."""
        named = self.redshifts.compilation
        if named is None:
            return None
        if is_address(named):
            return self._at(named)
        version = self.store.products.get(named)
        if COMBINE.name not in version.artifacts:
            raise _other_kind(version, "a compilation, or a training set made with one",
                              "name it under redshifts.tables, with its columns")
        return version.artifacts[COMBINE.name]

    @cached_property
    def _own(self) -> Mapping[str, Survey]:
        return own_surveys(self.redshifts.survey_path)

    def _at(self, address: str) -> ArtifactRef:
        manifest = self.store.look_up(address)
        if manifest is not None and manifest.request.stage == COMBINE.name:
            return manifest.ref
        raise refuse(
            Code.STORE_MISSING, "recipe: redshifts.compilation", found=address,
            expected=f"the address of a `combine` artifact in {self.store.location} that "
            f"`{self.store.principal.name}` may see",
            remedy="give a product, or an address that a run of a compilation printed",
        )

    def _native(self, entry: TableSource) -> FilePin | ArtifactRef:
        if entry.product is not None:
            return self._product(entry.product)
        path = str(entry.file)
        return FilePin(path=path, sha256=digest(path), access=entry.access)

    def _product(self, reference: str) -> ArtifactRef:
        version = self.store.products.get(reference)
        if version.kind != "table":
            raise _other_kind(version, "a table, as `tsm put` leaves it",
                              "name it under redshifts.compilation"
                              if COMBINE.name in version.artifacts else "name a table")
        return version.ref

    def _fetched(self, entry: SurveyFile) -> ArtifactRef | Unfetched:
        """What the store has of a survey that others publish."""
        from pz_tsm_core.remote import Reach
        from pz_tsm_core.retrieval import choose, fetch_survey

        survey = survey_of_entry(entry, self._own)
        try:
            return fetch_survey(self.store, survey, wanted_of_entry(entry), reach=Reach(),
                                policy="never", access=entry.access).ref
        except TsmError as error:
            if error.codes != (Code.SOURCE_MISSING,):
                raise
            problem = error.problems[0]
        choose(survey, entry.service)  # what nobody gives cannot be fetched
        if self.allow_unfetched:
            return Unfetched(label_of(entry), problem.found, entry.access)
        raise TsmError(replace(problem, remedy=self._how_to_fetch(entry, survey)))

    def _how_to_fetch(self, entry: SurveyFile, survey: Survey) -> str:
        folder = Path(entry.definition).parent if entry.definition else self.redshifts.survey_path
        options = {"--region": entry.region, "--rows": entry.rows, "--from": entry.service,
                   "--survey-path": folder}
        words = [word for name, value in options.items() if value for word in (name, str(value))]
        command = shlex.join(["tsm", "fetch", survey.key, *words])
        return f"fetch it where there is a way out: `{command}`, or run with `--fetch if-changed`"


def _other_kind(version: ProductVersion, expected: str, remedy: str) -> TsmError:
    return refuse(Code.PRODUCT_NAME, f"recipe: redshifts, product {version}",
                  found=f"a product of kind {version.kind}", expected=expected, remedy=remedy)
