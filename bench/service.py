"""Time what Prefect adds to the work: `make bench-service`.

One JSON object a line; each way is a process of its own, its server among its CPU.

cached     1,000 stages that the store has, asked for in a flow; against asking the store alone
demo       all stages of the demo's recipe, in a flow with a server that is ready; against the same
           stages one after the other, without Prefect
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from apart import Work, be_child, compare

STAGES = 1_000


def main() -> None:
    """Make a store and a demo, and time both ways over each."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder) / "store")
        compare(__file__, "1,000 cached stages", "flow_cached", "store_cached", folder)
        tsm = Path(sys.executable).with_name("tsm")
        subprocess.run([tsm, "mock", Path(folder) / "demo"], check=True, stdout=subprocess.DEVNULL)
        compare(__file__, "demo", "flow_demo", "plain_demo", folder)


def _toy() -> Any:
    """A stage that makes a number of a number."""
    import pyarrow as pa

    from pz_tsm_core.model.stages import STANDARDIZE
    from tasks.stage import stage_task

    @stage_task(lambda number: STANDARDIZE.request(policy={"number": number}), label="{number}")
    def toy(draft: Any, _store: Any, *, number: int) -> None:
        draft.write_table("numbers", pa.table({"number": pa.array([number], pa.int64())}))

    return toy


def _fill(folder: Path) -> None:
    from pz_tsm_core.store import open_store

    store, toy = open_store(folder), _toy()
    for number in range(STAGES):
        toy.run(store, number=number)


def store_cached(folder: str) -> Work:
    """Ask the store for every stage."""
    from pz_tsm_core.store import open_store

    store, toy = open_store(Path(folder) / "store"), _toy()

    def work() -> Iterator[dict[str, Any]]:
        found = sum(toy.run(store, number=number) is not None for number in range(STAGES))
        yield {}
        yield {"rows": found}

    return work


def flow_cached(folder: str) -> Work:
    """Have a flow ask for every stage."""
    _server(folder)
    from prefect import flow

    from flows.submission import Submission, task_runner
    from tasks.stage import StoreAt

    at, toy = StoreAt(location=str(Path(folder) / "store")), _toy()

    @flow(task_runner=task_runner(), persist_result=False)
    def ask() -> int:
        submission = Submission(at)
        for number in range(STAGES):
            submission(toy, number=number)
        return len(submission.settle())

    def work() -> Iterator[dict[str, Any]]:
        found = ask()
        yield {}
        yield {"rows": found}

    return work


def plain_demo(folder: str) -> Work:
    """Do the stages of the demo one after the other."""
    from flows.order import order_for
    from flows.pins import pin
    from pz_tsm_core.recipes import load_recipe
    from pz_tsm_core.store import open_store
    from tasks.deliver import deliver

    recipe = load_recipe(Path(folder) / "demo" / "recipe.yaml")
    store = open_store(Path(folder) / "plain")

    def work() -> Iterator[dict[str, Any]]:
        made = {}

        def do(stage: Any, /, **parameters: Any) -> Any:
            label = stage.label(**parameters)
            made[label] = stage.run(store, **parameters).ref
            return made[label]

        order_for(recipe)(recipe, pin(recipe, store), do)
        deliver(recipe, made, store)
        yield {}
        yield {"rows": store.manifest(made["split"]).rows.given, "content": made["split"].content}

    return work


def flow_demo(folder: str) -> Work:
    """Do them in the flow of `tsm run`."""
    from pz_tsm_core.recipes import load_recipe
    from tasks.stage import StoreAt

    _server(folder)
    from flows.recipe_run import recipe_run

    recipe = load_recipe(Path(folder) / "demo" / "recipe.yaml")
    at = StoreAt(location=str(Path(folder) / "flow"))

    def work() -> Iterator[dict[str, Any]]:
        recipe_run(recipe, at)
        yield {}
        store = at.open()
        divided = store.products.get(recipe.name).artifacts["split"]
        yield {"rows": store.manifest(divided).rows.given, "content": divided.content}

    return work


#: Ends the server with this process.
_RUNNING = ExitStack()


def _server(folder: str) -> None:
    """A private server that is ready, and the settings of `tsm run`."""
    from flows.private_server import private_server
    from flows.settings import PLAIN_RESULTS, QUIET

    server = _RUNNING.enter_context(private_server(Path(folder) / "homes"))
    os.environ.update(QUIET | PLAIN_RESULTS | server.environment)
    server.ready()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        be_child({each.__name__: each for each in (
            store_cached, flow_cached, plain_demo, flow_demo)})
    else:
        main()
