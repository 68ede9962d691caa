"""A stage that another run makes is waited for, and told so."""

import threading

import pyarrow as pa
import pytest

from flows.progress import Lines
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store
from tasks.stage import Moment, listener, stage_task

WAITED = threading.Event()


def request(name):
    return StageRequest(stage="combine", version=1, policy={"name": name})


@stage_task(request, label="join {name}")
def join(draft, store, *, name):
    """Make a table once somebody waits for it; `fail` then fails."""
    if threading.current_thread().name == "first":
        assert WAITED.wait(60)
        if name == "fail":
            raise ZeroDivisionError
    draft.write_table("t", pa.table({"x": [1]}))
    draft.rows(taken=1, given=1)


def run(store, name, heard):
    """Run the stage in this thread; what is told of it is heard."""
    def hear(event):
        heard.append(event)
        if event.moment is Moment.WAITING:
            WAITED.set()

    token = listener.set(hear)
    try:
        return join.run(store, name=name)
    except ZeroDivisionError:
        return None
    finally:
        listener.reset(token)


@pytest.mark.parametrize(("name", "first", "second"), [
    ("pass", [Moment.RUNNING, Moment.DONE], [Moment.RUNNING, Moment.WAITING, Moment.CACHED]),
    ("fail", [Moment.RUNNING, Moment.FAILED],
     [Moment.RUNNING, Moment.WAITING, Moment.RUNNING, Moment.DONE]),
])
def test_a_stage_that_another_run_makes_is_told_as_waiting_once(tmp_path, name, first, second):
    WAITED.clear()
    store, heard, begun = open_store(tmp_path), ([], []), threading.Event()
    turn = store._backend.turn

    def taken(address):
        given = turn(address)
        begun.set()
        return given

    store._backend.turn = taken
    other = threading.Thread(target=run, args=(store, name, heard[0]), name="first")
    other.start()
    assert begun.wait(60)
    manifest = run(store, name, heard[1])
    other.join()
    assert manifest == store.find(manifest.address)
    assert [[event.moment for event in events] for events in heard] == [first, second]
    lines = []
    for event in heard[1]:
        Lines(lines.append).hear(event)
    assert lines[:2] == [f"waiting  join {name}", "         another run makes it"]
