"""Bring a survey from where it is published: the one task that needs a way out to the world.

It is no stage: what it asks for says nothing of what will come, so that nothing is found by an
address beforehand. The artifact that it leaves is known by its content, and all that follows sees
that alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.recipe import SurveyFile
from pz_tsm_core.model.retrieval import FetchPolicy
from pz_tsm_core.model.stages import FETCH
from tasks.stage import Moment, StageEvent, StoreAt, patience, tell, under_way

if TYPE_CHECKING:  # `tsm plan` reads this module and must not wait for Prefect
    from prefect import Task

#: Tag of tasks, and name of the work queue, for machines with a way out: compute nodes have none.
EDGE = "edge"


def label_of(entry: SurveyFile) -> str:
    """Name the retrieval of an entry for people."""
    return f"{FETCH.name} {entry.survey or PurePath(entry.definition or '').stem}"


def fetch(
    entry: SurveyFile, survey_path: str | None, policy: FetchPolicy, at: StoreAt
) -> ArtifactRef:
    """Have a survey in the store, as its source has it, or as the policy allows; give its artifact.

    Parameters
    ----------
    survey_path : folder of definitions of the user's own
    """
    from pz_tsm_core.recipes import survey_of_entry, wanted_of_entry
    from pz_tsm_core.remote import Reach
    from pz_tsm_core.retrieval import fetch_survey
    from pz_tsm_core.surveys import own_surveys

    label, store = label_of(entry), at.open()
    with under_way(label, FETCH.request(access=entry.access)) as seconds:
        fetched = fetch_survey(
            store, survey_of_entry(entry, own_surveys(survey_path)), wanted_of_entry(entry),
            reach=Reach(), policy=policy, asked_service=entry.service, access=entry.access)
    moment = Moment.DONE if fetched.state in ("new", "changed") else Moment.CACHED
    tell(StageEvent(label, moment, store.manifest(fetched.ref).request, fetched.record.given,
                    seconds(), fetched.remarks))
    return fetched.ref


@cache
def fetch_task() -> Task[..., ArtifactRef]:
    """Give the Prefect task of `fetch`; imports Prefect.

    It is never cached: Prefect cannot know what has changed elsewhere.
    """
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    return task(
        name=FETCH.name,
        task_run_name=_name_of_run,  # type: ignore[arg-type]  # its protocol has a method, too
        tags=[EDGE], cache_policy=NO_CACHE, persist_result=False, **patience(),
    )(fetch)


def _name_of_run(parameters: dict[str, Any]) -> str:
    return label_of(parameters["entry"])
