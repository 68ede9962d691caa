"""A run that is cancelled while Dask works for it."""

from __future__ import annotations

import pytest
from prefect.states import Cancelling

from tests.service.standing import FIRST, UNTIL_THERE, Start
from tests.waiting import wait_for

#: The worker hears of it at once, asks the process to leave, and looks after three seconds.
SOON = 20.0


def tasks_on(address: str) -> int:
    """How many tasks a scheduler knows of."""
    from distributed import Client

    with Client(address, timeout=SOON, set_as_default=False) as client:
        return int(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))


def test_cancelling_ends_a_run_soon_and_frees_the_scheduler_of_its_tasks(start: Start) -> None:
    run = start(FIRST, on_dask=True)
    run.stands()
    rig = run.service.rig
    rig.hold_dask()
    run.go_on()
    wait_for("a search on Dask", rig.held.exists, UNTIL_THERE)
    assert tasks_on(rig.dask) > 0
    run.service.client.set_flow_run_state(run.run_id, Cancelling())
    run.service.until(run.run_id, "Cancelled", seconds=SOON)
    wait_for("no process of it", lambda: not run.service.processes(run.run_id), SOON)
    wait_for("no task of it", lambda: tasks_on(rig.dask) == 0, SOON)
    rig.let_dask_go()


@pytest.mark.prove
def test_a_run_is_cancelled_also_while_no_worker_is_there(start: Start) -> None:
    run = start(FIRST)
    run.stands()
    rig = run.service.rig
    rig.worker.kill()
    run.service.client.set_flow_run_state(run.run_id, Cancelling())
    run.service.until(run.run_id, "Cancelled", seconds=3 * SOON)
    wait_for("no process of it", lambda: not run.service.processes(run.run_id), SOON)
    rig.worker.start()
    rig.worker.wait()
