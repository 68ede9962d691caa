import signal
from functools import partial

import psutil
import pytest
from prefect.client.orchestration import get_client

from flows.commands import version_of
from pz_tsm_core.products import put
from pz_tsm_core.store import open_store
from tests.waiting import wait_for


@pytest.fixture
def elsewhere(server):
    """The environment of somebody who runs a server already."""
    return {"PREFECT_API_URL": server.url}


def outcome(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def gone(processes):
    return all(
        not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        for process in processes
    )


def test_two_runs_at_once_both_succeed_and_the_next_finds_all_cached(
    tsm, recipe_file, store, folder, elsewhere
):
    recipe = recipe_file("one", "two")
    # A proxy of the environment, here a dead one, is not for a run's own server.
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    runs = [tsm("run", recipe, **proxy) for _ in range(2)]
    for code, out, err in map(outcome, runs):
        assert (code, err) == (0, "")
        assert "share" in out
    logs = (store / "prefect").glob("server-*/server.log")
    assert {log.parent.name for log in logs} == {"server-0", "server-1"}
    assert not (folder / ".prefect").exists()  # HOME of the runs
    _, out, _ = outcome(tsm("run", recipe, **elsewhere))
    states = [line.split()[0] for line in out.splitlines()[:4]]
    assert states == ["cached"] * 4


def test_a_run_tells_the_version_that_it_made_whatever_has_come_after(tmp_path):
    store, file = open_store(tmp_path / "store"), tmp_path / "mine.csv"
    made = []
    for z in (0.5, 0.6, 0.7):
        file.write_text(f"ra,dec,z\n1.5,2.5,{z}\n")
        made.append(put(file, store=store))
    store.products.withdraw("mine@2")
    for version in made:
        assert str(version_of(version.ref, store.products.versions("mine"))) == str(version)


def test_run_uses_the_server_that_the_environment_names(
    tsm, recipe_file, store, elsewhere, prefect_client_settings
):
    def runs():
        with get_client(sync_client=True) as client:
            return len(client.read_flow_runs())

    before = runs()
    code, _, err = outcome(tsm("run", recipe_file("one"), **elsewhere))
    assert (code, err, runs()) == (0, "", before + 1)
    assert not (store / "prefect" / "server-0" / "server.log").exists()
    assert not (store.parent / ".prefect" / "storage").exists()  # HOME of the run


def test_refusals_are_told_plainly_on_stderr_with_status_1(tsm, recipe_file, elsewhere):
    code, out, err = outcome(tsm("run", recipe_file("fail_a", "fail_b", "down"), **elsewhere))
    assert code == 1
    assert err.count("found:    noise") == 2
    assert err.count("found:    silence") == 1
    assert "Traceback" not in err + out
    assert out.count("failed") == 2
    assert out.count("retrying") == 5


def test_misspelt_key_is_refused_before_any_server_starts(tsm, recipe_file, store):
    code, _, err = outcome(tsm("run", recipe_file("one", more="splitt: {}")))
    assert code == 1
    assert "did you mean `split`?" in err
    assert not (store / "prefect" / "server-0" / "server.log").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_recipe_that_is_not_there_is_refused(command, tsm, folder):
    code, _, err = outcome(tsm(command, folder / "nowhere.yaml"))
    assert code == 1
    assert "[file.missing]" in err


def test_interrupted_runs_end_within_seconds_and_leave_no_child(
    tsm, recipe_file, toys, family
):
    runs = {}
    for sent in (signal.SIGINT, signal.SIGTERM):  # of one artifact the second would only wait
        source = f"slow_{sent.name}"
        runs[sent] = tsm("run", recipe_file(source))
        wait_for("its fetching", lambda source=source: f"fetch {source}" in toys.calls())
    for sent, run in runs.items():
        children = family(run)
        run.send_signal(sent)
        assert run.wait(timeout=10) == 128 + sent
        assert children
        wait_for("the end of its children", partial(gone, children), 10)
        assert "Traceback" not in run.stderr.read()


def test_killed_run_leaves_no_process_and_its_finished_stages_are_kept(
    tsm, recipe_file, toys, folder, family, elsewhere
):
    recipe = recipe_file("one", "slow_first")
    run = tsm("run", recipe)
    wait_for("its fetching", lambda: "fetch slow_first" in toys.calls())
    journal = folder / "store" / "journal" / "toy.json"
    wait_for("a line of the journal",
             lambda: journal.exists() and "fetch one" in journal.read_text())
    children = family(run)
    run.kill()
    wait_for("the end of its children", lambda: gone(children), 10)
    assert children
    _, out, _ = outcome(tsm("plan", recipe))
    assert "cached   fetch one" in out
    assert "missing  fetch slow_first" in out
