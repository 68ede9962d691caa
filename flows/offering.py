"""What a service offers, told to Prefect: the forms of its deployments, with their choices."""

from __future__ import annotations

import os
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound

from pz_tsm_core.service import (
    SITE,
    CompilationRequest,
    FetchRequest,
    MaintenanceRequest,
    RefreshRequest,
    Site,
    TrainingSetRequest,
    choices_of,
    form,
    site_here,
)
from pz_tsm_core.store import Store, open_store

#: How often choices that change meanwhile are told again.
TIMES = 3

#: The request of each deployment; flow and deployment have one name.
REQUESTS: dict[str, type[Any]] = {
    "refresh-compilation": RefreshRequest,
    "compile-redshifts": CompilationRequest,
    "make-training-set": TrainingSetRequest,
    "fetch-surveys": FetchRequest,
    "maintain-store": MaintenanceRequest,
}


def offer(site: Site) -> tuple[str, ...]:
    """Give the forms of all deployments that stand the choices of now; give their names.

    Raises
    ------
    TsmError
        where the store does not answer
    """
    choices = choices_of(site)
    with get_client(sync_client=True) as client:
        for _ in range(TIMES):
            offered = tuple(name for name, request in REQUESTS.items()
                            if _is_given(client, name, form(request, choices)))
            # Somebody else may have changed something, and told it before this was written.
            before, choices = choices, choices_of(site)
            if choices == before:
                break
    return offered


def _is_given(client: SyncPrefectClient, name: str, schema: dict[str, Any]) -> bool:
    """Give a deployment its form; say whether it stands at all."""
    try:
        deployment = client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound:
        return False
    if schema != deployment.parameter_openapi_schema:
        client.update_deployment(
            deployment.id, DeploymentUpdate(parameter_openapi_schema=schema))
    return True


def offer_changes(store: Store) -> None:
    """What `tsm` calls after it has changed products, where it belongs to a service."""
    if os.environ.get(SITE) and os.environ.get("PREFECT_API_URL"):
        site = site_here()
        if open_store(site.store).location == store.location:
            offer(site)
