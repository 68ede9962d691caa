"""Every part of the service killed while a run stands in the middle, and the run's right end.

The runs of a test stand at a known point and wait for each other's victims to be dealt with, each
with a store of its own. What they computed is noted point by point.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord
from pz_tsm_core.model.stages import STAGES as ALL_STAGES
from pz_tsm_core.store.faults import NOTE, PAUSE
from tests.conftest import Done
from tests.service.deployed import Service
from tests.service.rig import wait_for

#: From the end of a disturbance to the right end of a run.
RIGHT_AGAIN = 120.0
#: For a worker to start a run and the run to come to its point, on a busy machine.
UNTIL_THERE = 120.0

VICTIMS = ("flow", "worker", "server", "postgres", "scheduler", "dask-worker")
POINTS = ("standardize", "combine", "neighbors", "crossmatch", "split")
STAGES = [stage.name for stage in ALL_STAGES]
FIRST = "combine"


@dataclass(frozen=True)
class Standing:
    """A run that stands at a point, its folder, and what it must have made in the end."""

    service: Service
    run_id: UUID
    stage: str
    folder: Path

    @property
    def paused(self) -> Path:
        return self.folder / "paused"

    def go_on(self) -> None:
        Path(f"{self.paused}.go").touch()

    @property
    def computed(self) -> Counter[str]:
        """How often the computing of each stage came to its end."""
        lines = (self.folder / "points").read_text().splitlines()
        return Counter(line.removeprefix("computed.") for line in lines
                       if line.startswith("computed."))

    @property
    def contents(self) -> dict[str, str]:
        """Content digests of what was delivered, by stage."""
        record = RunRecord.model_validate_json((self.folder / "output/manifest.json").read_bytes())
        return {stage.label: stage.manifest.content for stage in record.stages}

    def check(self, whole: Done, *, again: int) -> None:
        """The end is right: all contents, and nothing was computed twice but the stage."""
        state = self.service.until(self.run_id, "Completed", "Failed", seconds=RIGHT_AGAIN)
        assert state.name == "Completed", (state.message, self.service.history(self.run_id))
        assert self.contents == whole.contents
        stages = Counter(manifest.request.stage for manifest in whole.manifests.values())
        assert self.computed - stages == Counter({self.stage: again} if again else {})
        wait_for("the end of its processes",
                 lambda: not self.service.processes(self.run_id), 30)


Start = Callable[..., Standing]


@pytest.fixture
def start(service: Service, mock_recipe: Recipe, tmp_path: Path) -> Iterator[Start]:
    """Start a run that will stand where a stage is computed, before it is published."""
    started: list[Standing] = []

    def run(stage: str, cluster: ClusterPolicy | None = None) -> Standing:
        folder = tmp_path / f"run-{len(started)}"
        folder.mkdir()
        recipe = mock_recipe.model_copy(update={
            "output": mock_recipe.output.model_copy(update={"directory": str(folder / "output")}),
            "cluster": cluster or mock_recipe.cluster})
        environment = {NOTE: str(folder / "points"),
                       PAUSE: f"computed.{stage}={folder / 'paused'}"}
        run_id = service.submit(recipe, folder / "store", **environment)
        started.append(Standing(service, run_id, stage, folder))
        return started[-1]

    yield run
    for each in started:
        each.go_on()


def stands(run: Standing) -> None:
    """Wait until a run stands at its point."""
    wait_for(f"{run.run_id} stands", run.paused.exists, UNTIL_THERE)


# What is done to each


def lose_flow(run: Standing) -> int:
    for process in run.service.processes(run.run_id):
        process.kill()
    return 1


def lose_worker(run: Standing) -> int:
    """Its run goes on without it; the next worker leaves it alone."""
    run.service.rig.worker.kill()
    run.go_on()
    run.service.rig.worker.start()
    run.service.rig.worker.wait()
    return 0


def lose_server(run: Standing) -> int:
    """The run goes on while the server is away."""
    run.service.rig.server.kill()
    run.go_on()
    run.service.rig.server.start()
    run.service.rig.server.wait()
    return 0


def lose_postgres(run: Standing) -> int:
    postgres = run.service.rig.postgres
    postgres.kill(signal.SIGINT)  # PostgreSQL's own fast shutdown: whoever is connected is cut
    run.go_on()
    postgres.start()
    postgres.wait()
    return 0


def lose_scheduler(run: Standing) -> int:
    """Its worker ends with it, and is started again by whoever supervises it."""
    rig = run.service.rig
    search_on_dask(run)
    rig.scheduler.kill()
    rig.let_dask_go()
    rig.dask_worker.running.wait(timeout=60)
    rig.scheduler.start()
    rig.scheduler.wait()
    rig.dask_worker.start()
    return 0


def lose_dask_worker(run: Standing) -> int:
    search_on_dask(run)
    run.service.rig.dask_worker.kill()
    run.service.rig.dask_worker.start()
    return 0


def search_on_dask(run: Standing) -> None:
    """Let a run go on until Dask searches for it, if that is still to come."""
    searches = STAGES.index(run.stage) < STAGES.index("neighbors")
    if searches:
        run.service.rig.hold_dask()
    run.go_on()
    if searches:
        wait_for("a search on Dask", run.service.rig.held.exists, UNTIL_THERE)


LOSE = dict(zip(VICTIMS, (lose_flow, lose_worker, lose_server, lose_postgres, lose_scheduler,
                          lose_dask_worker), strict=True))


def cluster_of(service: Service, victim: str) -> ClusterPolicy | None:
    """The service's Dask for those that are to lose it."""
    if victim in ("scheduler", "dask-worker"):
        return ClusterPolicy(kind="address", address=service.rig.dask)
    return None


def test_a_run_outlives_the_death_of_every_part(
    service: Service, start: Start, mock_run: Done
) -> None:
    runs = {victim: start(FIRST, cluster_of(service, victim)) for victim in VICTIMS}
    for run in runs.values():
        stands(run)
    again = {victim: LOSE[victim](run) for victim, run in runs.items()}
    for victim, run in runs.items():
        run.check(mock_run, again=again[victim])


@pytest.mark.prove
@pytest.mark.parametrize("stage", [stage for stage in POINTS if stage != FIRST])
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_outlives_a_death_at_any_point(
    victim: str, stage: str, service: Service, start: Start, mock_run: Done
) -> None:
    run = start(stage, cluster_of(service, victim))
    stands(run)
    run.check(mock_run, again=LOSE[victim](run))
