"""One service for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.deployed import Service, deployed
from tests.service.rig import running


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """PostgreSQL, Prefect server, worker, Dask scheduler and worker, with the deployments."""
    with running() as rig, deployed(rig) as service:
        yield service


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
