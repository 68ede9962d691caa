"""What tests ask a rig for: deployments, runs, and how these are getting on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
from prefect import Flow, settings
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import temporary_settings
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from deployments.automations import POOL, RECOVER, set_up_automations
from flows.recover import recover
from pz_tsm_core.model.recipe import Recipe
from tests.service.mock_flow import mock_sky
from tests.service.rig import ROOT, Rig
from tests.waiting import wait_for


@dataclass(frozen=True)
class Service:
    """A rig with deployments, and a client of its server."""

    rig: Rig
    client: SyncPrefectClient
    deployment: UUID

    def submit(self, recipe: Recipe, store: Path, **environment: str) -> UUID:
        """Ask for a run of a recipe; its process has these variables besides."""
        return self.client.create_flow_run_from_deployment(
            self.deployment, parameters={"recipe": recipe.model_dump_json(by_alias=True),
                                         "store": str(store)},
            job_variables={"env": environment}).id

    @contextmanager
    def another(self, name: str) -> Iterator[UUID]:
        """A deployment of this name for a while, of a flow that nobody carries out."""
        made = _deploy(self.client, mock_sky, name, "tests/service/mock_flow.py:mock_sky")
        try:
            yield made
        finally:
            self.client.delete_deployment(made)

    def run(self, run_id: UUID) -> FlowRun:
        return self.client.read_flow_run(run_id)

    def state(self, run_id: UUID) -> State:
        state = self.run(run_id).state
        assert state is not None
        return state

    def history(self, run_id: UUID) -> list[str]:
        """Names of the states that a run went through."""
        states = sorted(self.client.read_flow_run_states(run_id), key=lambda each: each.timestamp)
        return [each.name or "" for each in states]

    def until(self, run_id: UUID, *names: str, seconds: float = 120) -> State:
        """Wait for a run to be in a state of one of these names."""
        def reached() -> State | None:
            state = self.state(run_id)
            return state if state.name in names else None

        return wait_for(f"{run_id} {names}", reached, seconds, every=0.25)

    def processes(self, run_id: UUID) -> list[psutil.Process]:
        """Processes that carry out a run, whichever worker has started them."""
        def is_of(each: psutil.Process) -> bool:
            try:
                return each.environ().get("PREFECT__FLOW_RUN_ID") == str(run_id)
            except psutil.Error:
                return False

        return list(filter(is_of, self.rig.marked()))


@contextmanager
def spoken_to(rig: Rig) -> Iterator[None]:
    """Let flows, blocks and new clients of this process speak to the rig's server."""
    chosen = {
        settings.PREFECT_API_URL: rig.url, settings.PREFECT_HOME: rig.folder / "prefect",
        settings.PREFECT_LOGGING_TO_API_ENABLED: False,
        settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        settings.PREFECT_CLIENT_RETRY_EXTRA_CODES: {500},
    }
    with temporary_settings(chosen):
        yield


@contextmanager
def deployed(rig: Rig) -> Iterator[Service]:
    """The flow of tests and `recover`, deployed and watched over, with a worker."""
    with ExitStack() as stack:
        with spoken_to(rig):  # other tests of this process speak to other servers
            client = stack.enter_context(get_client(sync_client=True))
            client.create_work_pool(WorkPoolCreate(
                name=POOL, type="process",
                base_job_template=ProcessWorker.get_default_base_job_template()))
            mine = _deploy(client, mock_sky, "mock-sky", "tests/service/mock_flow.py:mock_sky")
            _deploy(client, recover, RECOVER, "flows/recover.py:recover")
            set_up_automations(client)
        rig.worker.start()
        rig.worker.wait()
        yield Service(rig, client, mine)


def _deploy(client: SyncPrefectClient, flow: Flow[..., object], name: str, entrypoint: str) -> UUID:
    return client.create_deployment(
        flow_id=client.create_flow(flow), name=name, work_pool_name=POOL, entrypoint=entrypoint,
        path=str(ROOT), job_variables={"stream_output": False}, pull_steps=[
            {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
        parameter_openapi_schema=parameter_schema(flow).model_dump())
