"""Runs that stand at a known point of their way, until they are told to go on.

Each has a store of its own, and notes what it computes point by point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pz_tsm_core.model.run import RunRecord
from tests.conftest import Done
from tests.service.deployed import Service
from tests.waiting import wait_for

#: From the end of a disturbance to the right end of a run.
RIGHT_AGAIN = 120.0
#: For a worker to start a run and the run to come to its point, on a busy machine.
UNTIL_THERE = 120.0

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

    @property
    def reasons(self) -> list[str | None]:
        """What was said of each state that the run went through."""
        return [each.message for each in self.service.client.read_flow_run_states(self.run_id)]

    def check(self, whole: Done, *, again: int) -> None:
        """The end is right: all contents, and nothing was computed twice but the stage."""
        state = self.service.until(self.run_id, "Completed", "Failed", seconds=RIGHT_AGAIN)
        assert state.name == "Completed", (state.message, self.service.history(self.run_id))
        assert self.contents == whole.contents
        stages = Counter(manifest.request.stage for manifest in whole.manifests.values())
        twice = self.computed - stages
        assert twice == Counter({self.stage: again} if again else {}), twice
        wait_for("the end of its processes",
                 lambda: not self.service.processes(self.run_id), 30)

    def stands(self) -> None:
        """Wait until it stands at its point, and no other stage goes on beside it.

        A stage that is computed and not published when its process dies is computed again too.
        """
        wait_for(f"{self.run_id} stands", self.paused.exists, UNTIL_THERE)
        before = (-1, -1)

        def alone() -> bool:
            nonlocal before
            published = sum(1 for _ in self.folder.glob("store/objects/*/*/*/manifest.json"))
            former, before = before, (self.computed.total(), published)
            return before == former == (published + 1, published)

        wait_for(f"{self.run_id} stands alone", alone, UNTIL_THERE, every=1.0)


#: Starts a run that will stand where a stage is computed, before it is published.
Start = Callable[..., Standing]
