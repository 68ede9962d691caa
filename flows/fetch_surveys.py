"""The flow that brings catalogues from where they are published; it runs where there is a way out.

Compute nodes of clusters have no internet. So retrieval is a flow of its own, for workers of the
queue `edge`; all other flows need the store alone.
"""

from __future__ import annotations

from prefect import flow

from flows.attending import attended
from flows.submission import LOCAL, fetch_all, task_runner
from pz_tsm_core.model.artifact import ArtifactRef, Principal
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.recipe import Redshifts
from pz_tsm_core.model.retrieval import FetchPolicy
from pz_tsm_core.store import default_location
from tasks.stage import StoreAt


@flow(task_runner=task_runner(), persist_result=False)
def fetch_surveys(  # noqa: PLR0917 - Prefect calls it by keywords
    surveys: list[str],
    region: str | None = None,
    rows: int | None = None,
    service: str | None = None,
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
    rows : at most so many, for a trial
    service : one of those that give the surveys; by default the first of each
    policy : when to ask the sources
    survey_path : folder of definitions of one's own, where the worker finds it
    store : where it is; by default PZ_TSM_STORE of the worker
    """
    entries = [{"survey": key, "region": region, "rows": rows, "service": service}
               for key in dict.fromkeys(surveys)]
    redshifts = checked(Redshifts, surveys=entries, survey_path=survey_path, fetch=policy)
    at = StoreAt(location=store or default_location(), principal=principal)
    with attended():
        return fetch_all(redshifts, at)
