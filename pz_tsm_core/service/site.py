"""The file in which an operator says what a service has: its store, catalogues and habits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ConfigDict, Field

from pz_tsm_core.errors import Code, Problems, TsmError, nearest, refuse
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.model.artifact import Principal, Value
from pz_tsm_core.model.document import Loc, build
from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.model.policy import ClusterPolicy, Name
from pz_tsm_core.model.recipe import ObjectCatalog
from pz_tsm_core.releases import find_release, is_own
from pz_tsm_core.service.requests import PRIVATE, RefreshRequest
from pz_tsm_core.sky.catalog import is_remote
from pz_tsm_core.surveys import get_survey, own_surveys

#: Names the file, for every process of a service.
SITE = "PZ_TSM_SITE"


class Results(Value):
    """Where results are handed over, and under which address people find them.

    Parameters
    ----------
    url : under which a web server shows the directory, all but `private`; empty where none does
    """

    directory: str
    url: str = Field("", pattern=r"^(https?://\S+[^/\s])?$")


class Schedule(Value):
    """When something is done by itself: in the notation of cron, in a time zone."""

    cron: str = Field(pattern=r"^\s*\S+(\s+\S+){4}\s*$")
    timezone: str = "UTC"


class Refresh(RefreshRequest):
    """The scheduled refresh: what is asked for, and when; by hand alone without a schedule."""

    schedule: Schedule | None = None


class Site(Value):
    """What a service has.

    Parameters
    ----------
    store : a folder that every worker sees, or s3://BUCKET/PREFIX
    catalogs : Object catalogues that people may choose, by a name
    dust : folder of the dust maps; empty for the usual one
    survey_path : folder of survey definitions of the operator's own
    rights : data rights that everybody holds who may use this service
    cluster : where the heavy work is done
    refresh : of the compilation
    maintenance : when the store is looked after
    retries : how often a run that died is begun again by itself
    guard : limits for results that are asked for with a guard; a refresh has its own
    at_once : how many compilations and training sets are made at once; more wait for their turn
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    store: str = Field(min_length=1)
    results: Results
    catalogs: dict[Name, ObjectCatalog] = Field(default_factory=dict)
    dust: str = ""
    survey_path: str | None = None
    rights: frozenset[str] = frozenset()
    cluster: ClusterPolicy = ClusterPolicy()
    refresh: Refresh | None = None
    maintenance: Schedule | None = Schedule(cron="30 2 * * 0")
    retries: int = Field(2, ge=0, le=10)
    guard: GuardPolicy = GuardPolicy()
    at_once: int = Field(3, ge=1, le=100)

    def principal(self, owner: str) -> Principal:
        """Who somebody is in the store: everybody here holds the rights of the service."""
        return Principal(name=owner, rights=self.rights)

    def shown_at(self, folder: str | Path) -> str | None:
        """Address of a folder of results; None where no web server shows it."""
        below = Path(folder).relative_to(self.results.directory)
        if not self.results.url or below.parts[:1] == (PRIVATE,):
            return None
        return f"{self.results.url}/{below.as_posix()}"


def site_here() -> Site:
    """The site that PZ_TSM_SITE names.

    Raises
    ------
    TsmError
        `site.missing` where the variable names no file; as `load_site`.
    """
    named = os.environ.get(SITE)
    if not named:
        raise refuse(Code.SITE_MISSING, SITE, found="no such variable",
                     expected="the path of the file that describes this service",
                     remedy=f"set {SITE}; docs/how-to/operate.md has an example")
    return load_site(named)


def load_site(path: str | Path) -> Site:
    """Read the description of a service, whole and checked; relative paths start at its folder.

    Catalogues and maps are not looked at: a disk that is away must not stop what does without.

    Raises
    ------
    TsmError
        `file.missing`; `site.invalid` with every mistake and its line, also for time zones,
        surveys and releases that nobody knows.
    """
    file = expanded(path).absolute()
    document = read_document(file, code=Code.SITE_INVALID)
    site = _absolute(build(Site, document), file.parent)
    problems = Problems()
    for loc, attempt in _attempts(site):
        try:
            attempt()
        except TsmError as error:
            problems.extend(replace(problem, code=Code.SITE_INVALID, where=document.where(loc))
                            for problem in error.problems)
    problems.raise_if_any()
    return site


def _absolute(site: Site, root: Path) -> Site:
    def absolute(path: str) -> str:
        return path if is_remote(path) or not path else str(root / expanded(path))

    content = site.model_dump(by_alias=True)
    content["results"]["directory"] = absolute(site.results.directory)
    for catalog in content["catalogs"].values():
        catalog["path"] = absolute(catalog["path"])
        if is_own(catalog["release"]):
            catalog["release"] = absolute(catalog["release"])
    for key in ("store", "dust", "survey_path"):
        content[key] = absolute(content[key]) if content[key] else content[key]
    return Site.model_validate(content)


def _attempts(site: Site) -> Iterator[tuple[Loc, Callable[[], Any]]]:
    """What must succeed for the names in a site to stand for something, and where they stand."""
    for key, catalog in site.catalogs.items():
        yield ("catalogs", key, "release"), partial(find_release, catalog.release)
    if site.refresh:
        for index, survey in enumerate(site.refresh.surveys):
            yield ("refresh", "surveys", index), partial(_known, survey, site.survey_path)
    schedules = {("refresh", "schedule"): site.refresh and site.refresh.schedule,
                 ("maintenance",): site.maintenance}
    for loc, schedule in schedules.items():
        if schedule:
            yield (*loc, "timezone"), partial(_timezone, schedule.timezone)


def _known(survey: str, survey_path: str | None) -> None:
    get_survey(survey, own_surveys(survey_path))


def _timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such zone is a KeyError
        raise refuse(Code.SITE_INVALID, "", found=f"`{name}`", expected="a time zone of IANA's",
                     remedy=nearest(name, available_timezones())) from None
