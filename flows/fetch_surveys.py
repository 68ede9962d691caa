"""The flow that brings catalogues from where they are published; it runs where there is a way out.

Compute nodes of clusters have no internet. So retrieval is a flow of its own, for workers of the
queue `edge`; all other flows need the store alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from prefect import flow

from flows.submission import LOCAL, fetch_entries, task_runner
from pz_tsm_core.model.artifact import ArtifactRef, Principal
from pz_tsm_core.model.recipe import SurveyFile
from pz_tsm_core.model.retrieval import FetchPolicy
from pz_tsm_core.store import default_location
from tasks.stage import StoreAt


@flow(task_runner=task_runner(), persist_result=False)
def fetch_surveys(  # noqa: PLR0917 - Prefect calls it by keywords
    surveys: list[str],
    region: str | None = None,
    policy: FetchPolicy = "if-changed",
    survey_path: str | None = None,
    store: str | None = None,
    principal: Principal = LOCAL,
) -> list[ArtifactRef]:
    """Have surveys in the store as their sources have them; give the artifact of each.

    Parameters
    ----------
    surveys : keys of the registry, or of `survey_path`
    region : as in a recipe; by default the whole catalogues
    policy : when to ask the sources
    """
    at = StoreAt(location=store or default_location(), principal=principal)
    entries: Iterable[SurveyFile] = [SurveyFile(survey=key, region=region) for key in surveys]
    return fetch_entries(entries, survey_path, policy, at)
