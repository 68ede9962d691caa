"""One service for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.store.faults import NOTE, PAUSE
from tests.service.deployed import Service, deployed, spoken_to
from tests.service.receiver import Receiver
from tests.service.rig import running
from tests.service.standing import Standing, Start


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """PostgreSQL, Prefect server, worker, Dask scheduler and worker, with the deployments."""
    with running() as rig, deployed(rig) as service:
        yield service


@pytest.fixture(autouse=True)
def speaking(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test that uses the service speak to its server."""
    with ExitStack() as stack:
        if "service" in request.fixturenames:
            stack.enter_context(spoken_to(request.getfixturevalue("service").rig))
        yield


@pytest.fixture
def start(service: Service, mock_recipe: Recipe, tmp_path: Path) -> Iterator[Start]:
    """Start a run that will stand where a stage is computed, before it is published."""
    started: list[Standing] = []
    dask = ClusterPolicy(kind="address", address=service.rig.dask)

    def run(stage: str, *, on_dask: bool = False, **more: str) -> Standing:
        folder = tmp_path / f"run-{len(started)}"
        folder.mkdir()
        recipe = mock_recipe.model_copy(update={
            "output": mock_recipe.output.model_copy(update={"directory": str(folder / "output")}),
            "cluster": dask if on_dask else mock_recipe.cluster})
        environment = {NOTE: str(folder / "points"),
                       PAUSE: f"computed.{stage}={folder / 'paused'}", **more}
        run_id = service.submit(recipe, folder / "store", **environment)
        started.append(Standing(service, run_id, stage, folder))
        return started[-1]

    yield run
    for each in started:
        each.go_on()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An address of this machine that hears what is sent to it."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def told_on_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what the parts of the service said when a test fails."""
    yield
    report = getattr(request.node, "report", None)
    if report and report.failed and "service" in request.fixturenames:
        print(request.getfixturevalue("service").rig.told())  # noqa: T201


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.report = report
    return report
