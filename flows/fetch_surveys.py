"""The flow that brings catalogues from where they are published; it runs where there is a way out.

Compute nodes of clusters have no internet. So retrieval is a flow of its own, for workers of the
queue `edge`; no other flow asks anybody outside.
"""

from __future__ import annotations

from prefect import flow

from flows.serving import serving
from flows.submission import fetch_all, stages_heard_by, task_runner
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.recipe import Redshifts
from pz_tsm_core.service import FetchRequest
from pz_tsm_core.service.requests import SERVICE


@flow(name="fetch-surveys", task_runner=task_runner(), persist_result=False)
def fetch_surveys(request: FetchRequest) -> list[ArtifactRef]:
    """Have surveys in the store as their sources have them; give the artifact of each."""
    entries = [{"survey": key, **request.model_dump(include={"region", "rows", "service"})}
               for key in dict.fromkeys(request.surveys)]
    with serving(request.owner, principal=SERVICE) as here:
        redshifts = checked(Redshifts, surveys=entries, survey_path=here.site.survey_path,
                            fetch=request.policy)
        with stages_heard_by(here.view.hear):
            return fetch_all(redshifts, here.at)
