import json
from functools import partial

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from pz_tsm_core.errors import Code, TransientError, TsmError
from tasks.stage import Moment, StoreAt, listener
from tests.waiting import wait_for


@pytest.fixture
def run(toy_flow, store, folder):
    return lambda recipe: toy_flow(recipe, StoreAt(location=str(store)))


@pytest.fixture
def events():
    heard = []
    token = listener.set(heard.append)
    yield heard
    listener.reset(token)


def artifact_files(store, stage):
    return [file for file in (store / "objects" / stage).rglob("*") if file.is_file()]


def test_second_run_is_shown_as_cached_and_computes_nothing(
    toy_flow, toys, store, folder
):
    def states_of(run_id):
        with get_client(sync_client=True) as client:
            runs = client.read_task_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
            )
        states = {run.name: run.state_name for run in runs}
        done = len(states) == 4 and set(states.values()) <= {"Completed", "Cached"}
        return states if done else None

    shown = []
    for _ in range(2):
        state = toy_flow(toys.recipe("one", "two"), StoreAt(location=str(store)), return_state=True)
        run_id = state.state_details.flow_run_id
        shown.append(wait_for("its states", partial(states_of, run_id)))
    labels = ["fetch one", "fetch two", "join", "share"]
    assert shown == [dict.fromkeys(labels, "Completed"), dict.fromkeys(labels, "Cached")]
    assert sorted(toys.calls()) == labels


def delete_file(store):
    next(file for file in artifact_files(store, "combine") if file.suffix == ".parquet").unlink()


def flip_a_bit(store):
    file = next(file for file in artifact_files(store, "combine") if file.suffix == ".parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def delete_manifest(store):
    next(f for f in artifact_files(store, "combine") if f.name == "manifest.json").unlink()


@pytest.mark.parametrize("harm", [delete_file, flip_a_bit, delete_manifest])
def test_harmed_artifact_is_recomputed_and_the_rest_is_not(harm, run, toys, store):
    before = run(toys.recipe("one"))
    harm(store)
    assert run(toys.recipe("one")) == before
    assert toys.calls() == ["fetch one", "join", "share", "join"]


def test_lost_record_of_prefect_costs_no_computing(run, toys, store):
    before = run(toys.recipe("one"))
    for record in (store / "prefect" / "results").iterdir():
        record.unlink()
    assert run(toys.recipe("one")) == before
    assert toys.calls() == ["fetch one", "join", "share"]


def test_changed_policy_redoes_only_what_reads_it(run, toys):
    run(toys.recipe("one"))
    run(toys.recipe("one", split={"fractions": {"train": 0.8, "test": 0.2}}))
    assert toys.calls() == ["fetch one", "join", "share", "share"]


def test_what_may_pass_by_waiting_is_tried_again(run, toys, events):
    run(toys.recipe("flaky"))
    assert toys.calls().count("fetch flaky") == 3
    moments = [event.moment for event in events if event.label == "fetch flaky"]
    assert moments == [Moment.RUNNING, Moment.RETRYING] * 2 + [Moment.RUNNING, Moment.DONE]


def test_what_does_not_pass_by_waiting_fails_after_four_retries(run, toys):
    with pytest.raises(TsmError) as refused:
        run(toys.recipe("down"))
    assert refused.value.codes == (Code.SERVICE_UNREACHABLE,)
    assert toys.calls() == ["fetch down"] * 5


@pytest.mark.parametrize("source", ["fail", "broken"])
def test_wrong_file_or_program_is_tried_once(source, run, toys):
    with pytest.raises((TsmError, ExceptionGroup)):
        run(toys.recipe(source))
    assert toys.calls() == [f"fetch {source}"]


def test_all_failures_are_reported_at_once_and_nothing_below_them_runs(
    toy_flow, toys, store, folder
):
    recipe = toys.recipe("fail_a", "one", "fail_b")
    state = toy_flow(recipe, StoreAt(location=str(store)), return_state=True)
    error = state.result(raise_on_failure=False)
    assert state.is_failed()
    assert [problem.where for problem in error.problems] == ["fail_a", "fail_b"]
    assert not isinstance(error, TransientError)
    assert sorted(toys.calls()) == ["fetch fail_a", "fetch fail_b", "fetch one"]
    assert len(list(store.rglob("manifest.json"))) == 1


def test_failure_is_seen_among_stages_of_one_name(toys, folder, store):
    """One survey may come in several files."""
    from flows.submission import Submission

    class Future:
        def __init__(self, error):
            self.error = error
            self.state = self
            self.is_failed, self.is_crashed = (lambda: error is not None), (lambda: False)
            self.wait = lambda: None
            self.result = lambda raise_on_failure=True: self.error or "made"

    class Stage:
        label = staticmethod(lambda error: "fetch desi_dr1")
        submit = staticmethod(lambda at, error: Future(error))

    submission = Submission(StoreAt(location=str(store)))
    submission(Stage, error=None)
    submission(Stage, error=None)
    assert submission.settle() == {"fetch desi_dr1": "made", "fetch desi_dr1 (2)": "made"}
    submission(Stage, error=TsmError(toys.problem("one")))
    submission(Stage, error=None)
    with pytest.raises(TsmError):
        submission.settle()


def test_unexpected_error_is_not_hidden_behind_refusals(run, toys):
    with pytest.raises(ExceptionGroup) as raised:
        run(toys.recipe("fail", "broken"))
    assert {type(error) for error in raised.value.exceptions} == {TsmError, ZeroDivisionError}


def test_prefect_writes_nothing_but_json(run, toys, store):
    with pytest.raises(TsmError):
        run(toys.recipe("one", "fail"))
    records = [json.loads(file.read_bytes()) for file in (store / "prefect/results").iterdir()]
    assert records
    assert {record["metadata"]["serializer"]["type"] for record in records} == {"json"}


def test_stage_runs_without_prefect(toys, store, folder):
    opened = StoreAt(location=str(store)).open()
    manifest = toys.fetch.run(opened, source="one")
    assert manifest.rows.given == 10
    assert toys.fetch.run(opened, source="one") == manifest
    assert toys.calls() == ["fetch one"]
    assert toys.fetch.label(source="one") == "fetch one"
    assert toys.fetch.request(source="one").address == manifest.address
