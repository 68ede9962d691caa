"""What a person sees in Prefect of a run, read back from a real server, and what it may cost."""

import json
import logging
import time

import pytest
from prefect import flow, settings
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows import artifacts, seen, stages_shown
from flows.artifacts import Post, Shown
from flows.progress import Bars
from flows.run_log import warnings_heard
from flows.seen import View
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Access
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.stages import SPLIT
from pz_tsm_core.progress import Progress, counted
from pz_tsm_core.sky.cluster import pool_of
from tasks import stage
from tasks.stage import Moment, StageEvent
from tests.waiting import wait_for

REQUEST = SPLIT.request(policy={"seed": 1})
HOSTILE = "<img src=x onerror=alert(1)> [me](http://evil.example) | a_b\nwww.evil.example"


def event(moment, label="split", **told):
    return StageEvent(label, moment, REQUEST, **told)


@pytest.fixture
def at_once(monkeypatch):
    """Nothing is too brief to be shown, and nobody waits."""
    monkeypatch.setattr(artifacts, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(seen, "BRIEF_SECONDS", 0.0)


@pytest.fixture
def shown_of(prefect_client_settings):
    """All artifacts of a run by key, as the server has them."""

    def read(run_id):
        with get_client(sync_client=True) as client:
            chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
            return {each.key: each for each in client.read_artifacts(flow_run_filter=chosen)}

    return read


@pytest.fixture
def product(mock_run):
    made = {label: manifest.ref for label, manifest in mock_run.manifests.items()}

    def of(access=None):
        return ProductVersion(name="mock_set", version=3, kind="training_set", artifacts=made,
                              result="export", created="2026-01-01T00:00:00Z",
                              access=access or Access())

    return of


def test_a_run_shows_bars_while_it_lasts_and_figures_rows_plots_and_links_at_its_end(
    at_once, shown_of, mock_run, product
):
    @flow(persist_result=False)
    def shown():
        from prefect.context import FlowRunContext

        run_id = FlowRunContext.get().flow_run.id
        with seen.seen() as view:
            view.hear(event(Moment.RUNNING))
            view.hear(event(Moment.RUNNING, progress=Progress(3, 8, "partitions", 40.2)))
            bar = wait_for("a bar", lambda: shown_of(run_id).get("stage-split"))
            before.append((bar.type, bar.data, bar.description))
            view.hear(event(Moment.DONE, rows=1234, seconds=5.04))
            version = product()
            view.result(version, version.artifacts, mock_run.store,
                        lambda path: f"http://host/{path}")
        return run_id

    before = []
    found = shown_of(shown())
    assert before == [("progress", 37.0, "running, 3 of 8 partitions, about 40 s left")]
    assert set(found) == {"stage-split", "mock-set-result", "mock-set-rows", "mock-set-plots",
                          "mock-set-report"}
    bar = found["stage-split"]
    assert (bar.data, bar.description) == (100, "done, 1,234 rows, 5.0 s")
    assert found["mock-set-report"].data == "[report.html](http://host/report.html)"
    told = found["mock-set-result"].data
    assert told.startswith("# mock_set@3")
    assert "](http://host/training_set.parquet)" in told
    counts = mock_run.manifests["split"].counts["split"]
    assert all(f"| {part} | {count:,} |" in told for part, count in counts.items())
    rows = json.loads(found["mock-set-rows"].data)
    assert [row["rows out"] for row in rows if row["stage"] == "split"] == [
        f"{sum(counts.values()):,}"]
    assert found["mock-set-plots"].data.count("](data:image/svg+xml;base64,") == 4


def test_what_is_one_persons_shows_neither_figures_nor_plots(mock_run, product):
    view = View(logging.getLogger("test"))
    version = product(Access(kind="private", name="ana"))
    view.result(version, version.artifacts, mock_run.store)
    assert [each.key for each in view.shown()] == ["mock-set-result"]
    assert "|" not in view.shown()[0].data


def test_a_failed_run_shows_every_mistake_with_what_to_do_and_no_markup_of_others(
    at_once, shown_of
):
    @flow(persist_result=False)
    def fails():
        with seen.seen():
            raise ExceptionGroup("stages failed", [
                refuse(Code.TABLE_MISSING_COLUMN, "a.csv", found=HOSTILE, expected="z",
                       remedy="name it"),
                ZeroDivisionError(HOSTILE)])

    state = fails(return_state=True)
    with pytest.raises(ExceptionGroup):
        state.result()
    told = shown_of(state.state_details.flow_run_id)["problems"].data
    assert "### table.missing\\-column" in told
    assert "- **do** name it" in told
    assert "ZeroDivisionError" in told
    assert "<" not in told
    assert "](" not in told.replace("\\]\\(", "")
    assert "://" not in told
    assert " | " not in told


def test_a_run_of_found_stages_asks_the_server_for_nothing_before_its_end(monkeypatch):
    asked = []
    monkeypatch.setattr(artifacts.Post, "_send", lambda *_: asked.append(_))
    view = View(logging.getLogger("test"))
    post = Post(None, view.shown)
    for number in range(1000):
        view.hear(event(Moment.CACHED, f"retrieve {number}", rows=10))
    post.close()
    assert asked == []


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, as a list of the one time that it tells."""
    now = [100.0]
    monkeypatch.setattr(stages_shown.time, "monotonic", lambda: now[0])
    return now


def bar_of(view):
    return [(each.data, each.description) for each in view.shown()]


@pytest.mark.parametrize(("after", "final"), [
    ([(0.0, event(Moment.CACHED, rows=1234))], (100.0, "cached, 1,234 rows")),
    ([(0.0, event(Moment.RUNNING)), (0.5, event(Moment.DONE, rows=7, seconds=3600.5))],
     (100.0, "done, 7 rows, 3600.5 s")),
    ([(0.0, event(Moment.FAILED, seconds=3600.0))], (0.0, "failed, 3600.0 s")),
])
def test_a_stage_that_waits_for_another_run_shows_so_and_what_came_of_it(clock, after, final):
    view = View(logging.getLogger("test"))
    view.hear(event(Moment.RUNNING))
    view.hear(event(Moment.WAITING, remarks=(stage.ANOTHER_MAKES,)))
    clock[0] += seen.BRIEF_SECONDS / 2
    assert bar_of(view) == []
    clock[0] += seen.BRIEF_SECONDS / 2
    assert bar_of(view) == [(0.0, "waiting, another run makes it")]
    clock[0] += 3599.0
    assert bar_of(view) == [(0.0, "waiting, another run makes it")]
    for seconds, heard in after:
        clock[0] += seconds
        view.hear(heard)
        assert len(bar_of(view)) == 1
    assert bar_of(view) == [final]


def test_a_stage_that_waits_and_is_found_within_a_second_has_no_bar(clock):
    view = View(logging.getLogger("test"))
    view.hear(event(Moment.RUNNING))
    view.hear(event(Moment.WAITING, remarks=(stage.ANOTHER_MAKES,)))
    clock[0] += seen.BRIEF_SECONDS / 2
    view.hear(event(Moment.CACHED, rows=1234))
    clock[0] += 3600.0
    assert bar_of(view) == []


def test_of_a_running_stage_only_whole_per_cents_are_sent(at_once):
    """However many pieces there are, a hundred calls tell of them."""
    sent, rounds = [], []
    view = View(logging.getLogger("test"))

    class Recorded(Post):
        def _send(self, client, shown, before):
            sent.append(shown.data)

    def ask():
        done = len(rounds)
        rounds.append(done)
        view.hear(event(Moment.RUNNING, progress=Progress(done, 1000, "rows", 1000.0 - done)))
        return view.shown()

    post = Recorded(None, ask)
    wait_for("many rounds", lambda: len(rounds) > 35)
    post.close()
    assert sent == [0.0, 1.0, 2.0, 3.0][:len(sent)]
    assert len(sent) >= 3


def test_a_server_that_is_gone_costs_a_warning_and_no_time(at_once, caplog, monkeypatch):
    monkeypatch.setattr(artifacts, "ANSWER_SECONDS", 0.5)
    rounds = []

    def ask():
        rounds.append(len(rounds))
        return [Shown("stage-split", "progress", float(rounds[-1]))]

    with settings.temporary_settings({settings.PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        post = Post(None, ask)
        until = time.monotonic() + 30
        while len(rounds) < 1:
            assert time.monotonic() < until
            time.sleep(0.01)
        post.close()
    assert not post._thread.is_alive()
    assert [record.name for record in caplog.records] == ["flows.artifacts"]


def test_a_result_that_cannot_be_shown_does_not_fail_the_run(product, mock_run, caplog):
    version = product()
    view = View(logging.getLogger("test"))
    view.result(version, {}, mock_run.store)  # no report among what was made
    assert "cannot be shown" in caplog.text


def test_the_log_tells_once_how_every_stage_ended(caplog):
    caplog.set_level(logging.INFO)
    view = View(logging.getLogger("test"))
    for heard in (
        event(Moment.CACHED, "combine", rows=9), event(Moment.CACHED, "combine", rows=9),
        event(Moment.RUNNING), event(Moment.RUNNING, progress=Progress(1, 2, "rows", 1.0)),
        event(Moment.RETRYING, seconds=3.0), event(Moment.RUNNING),
        event(Moment.DONE, rows=1234, seconds=2.25),
    ):
        view.hear(heard)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "combine: cached, 9 rows"), ("WARNING", "split: retrying, 1 of 2 rows, 3.0 s"),
        ("INFO", "split: done, 1,234 rows, 2.2 s")]


def test_where_nobody_looks_nothing_is_sent_or_logged(caplog, prefect_client_settings):
    caplog.set_level(logging.INFO, "prefect.flow_runs")
    token = seen.watched.set(False)
    try:
        @flow(persist_result=False)
        def unseen():
            with seen.seen() as view:
                view.hear(event(Moment.DONE, rows=1))
                return view.shown()

        assert unseen() == []
    finally:
        seen.watched.reset(token)
    assert not [record for record in caplog.records if "split" in record.getMessage()]


def complain(number: int) -> int:
    logging.getLogger("pz_tsm_core.sky").warning("low on %s\x1b", "memory")
    return number


def test_warnings_of_dask_workers_stand_in_the_log_of_the_run(caplog):
    with warnings_heard(logging.getLogger("run")), \
            pool_of(ClusterPolicy(kind="local", workers=1)) as pool:
        assert list(pool.in_order(complain, [7])) == [7]
        told = wait_for("the warning", lambda: [
            record.getMessage() for record in caplog.records if record.name == "run"])
    assert told[0].startswith("pz_tsm_core.sky on tcp://127.0.0.1:")
    assert told[0].endswith(": low on memory\\x1b")
    logging.getLogger("pz_tsm_core.sky").warning("later")
    assert not [record for record in caplog.records
                if record.name == "run" and "later" in record.getMessage()]


def test_a_stage_tells_of_its_progress_no_more_than_twice_a_second(toys, monkeypatch, tmp_path):
    from pz_tsm_core.store import open_store

    now = [100.0]
    monkeypatch.setattr(stage.time, "monotonic", lambda: now[0])
    heard = []

    def compute(draft, store, *, pieces: int) -> None:
        for _ in counted(range(pieces), "pieces", pieces):
            now[0] += 0.125
        toys.write(draft, pieces)

    task = stage.StageTask(lambda pieces: SPLIT.request(policy={"pieces": pieces}), compute, "cut")
    token = stage.listener.set(heard.append)
    try:
        task.run(open_store(tmp_path), pieces=21)
    finally:
        stage.listener.reset(token)
    assert [(each.moment, each.progress.done if each.progress else None) for each in heard] == [
        ("running", None), *(("running", done) for done in (1, 5, 9, 13, 17, 21)), ("done", None)]


def test_a_bar_fills_with_what_is_counted_and_is_full_at_the_end(capsys):
    bars = Bars()
    try:
        bars.hear(event(Moment.RUNNING))
        task = bars._progress.tasks[0]
        assert task.total is None
        bars.hear(event(Moment.RUNNING, progress=Progress(3, 8, "partitions")))
        assert (task.completed, task.total) == (3, 8)
        assert task.fields["told"] == "3 of 8 partitions"
        bars.hear(event(Moment.DONE, rows=5, seconds=1.0))
        assert task.finished
    finally:
        bars.close()
    assert "partitions" not in capsys.readouterr().out.splitlines()[-1]
