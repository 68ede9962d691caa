"""What takes its time: a process that sleeps too long, and two hundred runs on one service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployments.automations import POOL
from flows.recover import RecoveryPolicy
from flows.settings import SILENCE_SECONDS
from pz_tsm_core.model.recipe import Recipe
from tests.conftest import Done
from tests.service.deployed import Service
from tests.service.standing import FIRST, RIGHT_AGAIN, Start
from tests.waiting import wait_for

pytestmark = pytest.mark.timeout(3600)

RUNS = int(os.environ.get("PZ_TSM_SOAK_RUNS", "200"))
AT_ONCE = 4
#: After so many runs every part has imported and cached what it ever will.
WARM = RUNS // 4
#: How much more memory a part may have at the end than when it was warm.
FLAT = 1.25


@pytest.mark.prove
def test_a_process_that_slept_while_its_run_was_given_to_another_leaves(
    start: Start, mock_run: Done
) -> None:
    run = start(FIRST)
    run.stands()
    asleep, = run.service.processes(run.run_id)
    asleep.suspend()
    found = SILENCE_SECONDS + RecoveryPolicy().hearing_seconds + 30
    run.service.until(run.run_id, "AwaitingRetry", "Pending", "Submitting", seconds=found)
    asleep.resume()
    wait_for("the end of the sleeper", lambda: not asleep.is_running(), 60)
    run.check(mock_run, again=1)


@pytest.mark.prove
def test_what_is_more_than_a_queue_lets_go_on_at_once_waits_for_its_turn(
    start: Start, mock_run: Done
) -> None:
    first = start(FIRST)
    first.stands()
    client = first.service.client
    queue = client.read_work_queue_by_name("default", POOL)
    client.update_work_queue(queue.id, concurrency_limit=1)
    try:
        second = start(FIRST)
        first.service.until(second.run_id, "Late", seconds=60)  # noticed, and not begun
        assert not second.paused.exists()
        first.service.rig.server.restart()  # which remembers no leases
        first.go_on()
        first.check(mock_run, again=0)
        second.stands()
        second.go_on()
        second.check(mock_run, again=0)
    finally:
        client.update_work_queue(queue.id, concurrency_limit=None)


@pytest.mark.prove
def test_memory_stays_flat_over_two_hundred_runs_of_which_some_are_killed(
    service: Service, mock_recipe: Recipe, tmp_path: Path
) -> None:
    """All share a store: what is tried is the service, not the stages."""
    recipe = mock_recipe.model_copy(update={
        "output": mock_recipe.output.model_copy(update={"directory": str(tmp_path / "output")})})
    sizes: list[tuple[float, float]] = []
    for _ in range(0, RUNS, AT_ONCE):
        doomed, *others = [service.submit(recipe, tmp_path / "store") for _ in range(AT_ONCE)]
        wait_for("its process", lambda run_id=doomed: service.processes(run_id), RIGHT_AGAIN)
        for process in service.processes(doomed):
            process.kill()
        for run_id in (doomed, *others):
            assert service.until(run_id, "Completed", "Failed").name == "Completed"
            wait_for("its end", lambda run_id=run_id: not service.processes(run_id), 30)
        sizes.append((service.rig.server.rss_mb, service.rig.worker.rss_mb))
    warm, last = sizes[WARM // AT_ONCE], sizes[-1]
    assert all(end < FLAT * begin for begin, end in zip(warm, last, strict=True)), sizes
