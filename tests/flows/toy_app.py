"""The real commands, flows and tasks over toy stages, whose files tell them how to behave.

A source is a file name: `fail_*` refuses, `broken_*` has a bug, `flaky_*` fails twice and then
passes, `slow_*` takes a minute; any other takes no time. Every computing is a line in `calls`.
"""

import os
import sys
import time
from pathlib import Path

import pyarrow as pa
import typer

import flows.closing
import flows.order
import flows.pins
from flows import commands
from pz_tsm_core.cli import told_plainly
from pz_tsm_core.errors import Code, Problem, TransientError, refuse
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.policy import SplitPolicy
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.stages import COMBINE, RETRIEVE, SPLIT
from pz_tsm_core.store import Draft, Store
from tasks.stage import StoreAt, stage_task

BIG = 2**63 - 1  # an int64 that no float can hold


def calls() -> list[str]:
    """What was computed, in order, by any process."""
    log = Path(os.environ["TOY_FOLDER"]) / "calls"
    return log.read_text().splitlines() if log.exists() else []


def note(call: str) -> int:
    with (Path(os.environ["TOY_FOLDER"]) / "calls").open("a") as log:
        log.write(f"{call}\n")
    return calls().count(call)


def write(draft: Draft, rows: int) -> None:
    draft.write_table("rows", pa.table({"row_id": pa.array([BIG] * rows, pa.int64())}))
    draft.rows(taken=rows, given=rows)


def problem(source: str) -> Problem:
    return Problem(Code.SERVICE_UNREACHABLE, source, "silence", "an answer", "wait")


def fetch_request(source: str):
    return RETRIEVE.request(policy={"source": source})


@stage_task(fetch_request, label="fetch {source}", first_delay_seconds=0.01)
def fetch(draft: Draft, store: Store, *, source: str) -> None:
    """Make ten rows of nothing."""
    times = note(f"fetch {source}")
    if source.startswith("fail"):
        raise refuse(Code.FILE_DAMAGED, source, found="noise", expected="rows", remedy="mend it")
    if source.startswith("broken"):
        raise ZeroDivisionError(source)
    if source.startswith("down") or (source.startswith("flaky") and times <= 2):
        raise TransientError(problem(source))
    if source.startswith("slow"):
        time.sleep(60)
    write(draft, 10)


def join_request(parts: list[ArtifactRef], policy: CombinePolicy):
    return COMBINE.request({"parts": parts}, policy=policy.model_dump(mode="json"))


@stage_task(join_request, label="join")
def join(
    draft: Draft, store: Store, *, parts: list[ArtifactRef], policy: CombinePolicy
) -> None:
    """Put the parts together."""
    note("join")
    assert all(store.read_table(part, "rows")["row_id"].to_pylist()[0] == BIG for part in parts)
    write(draft, 10 * len(parts))


def share_request(whole: ArtifactRef, policy: SplitPolicy):
    return SPLIT.request({"whole": [whole]}, policy=policy.model_dump(mode="json"))


@stage_task(share_request, label="share")
def share(draft: Draft, store: Store, *, whole: ArtifactRef, policy: SplitPolicy) -> None:
    """Divide the whole."""
    note("share")
    write(draft, len(store.read_table(whole, "rows")))


def order(recipe: Recipe, pins, do):
    sources = [Path(entry.file).name for entry in recipe.redshifts.surveys]
    parts = [do(fetch, source=source) for source in sources]
    return do(share, whole=do(join, parts=parts, policy=recipe.combine), policy=recipe.split)


def recipe(*sources: str, **policies) -> Recipe:
    surveys = [{"survey": "desi_dr1", "file": source} for source in sources]
    content = {"schema": 1, "name": "toy", "redshifts": {"surveys": surveys}, **policies}
    return Recipe.model_validate({**content, "output": {"directory": "unused"}})


def toy_flow():
    """The flow around the toy order; imports Prefect, which keeps the environment it meets."""
    from prefect import flow

    from flows import submission
    from flows.seen import seen

    @flow(name="toy", task_runner=submission.task_runner(), persist_result=False)
    def toy(recipe: Recipe, at: StoreAt) -> ArtifactRef:
        with seen() as view:
            return submission.carry_out(order, recipe, at, view).ref

    # Toys come from nowhere and are delivered to nobody.
    submission.pin = lambda recipe, store, **terms: flows.pins.Pins()
    submission.deliver = lambda recipe, made, store: None
    return toy


def main() -> None:
    from flows import local_run

    flows.closing.closing = lambda recipe, product, arguments: "made"
    flows.order.order_for = lambda recipe: order
    local_run._flow = toy_flow
    app = typer.Typer()
    app.command()(commands.run)
    app.command()(commands.plan)
    told_plainly(app)
    assert "lsdb" not in sys.modules


if __name__ == "__main__":
    main()
