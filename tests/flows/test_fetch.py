"""Recipes that name surveys and no files: who is asked, what is redone, what is told."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from flows import submission
from flows.fetch_surveys import fetch_surveys
from flows.progress import Lines
from flows.recipe_run import recipe_run
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import PUBLIC, Access, Principal
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.model.run import RunRecord
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval import fetch
from pz_tsm_core.service import FetchRequest
from pz_tsm_core.store import open_store
from tasks.fetch import fetch_task
from tasks.stage import Moment, StoreAt, listener

TSM = Path(sys.executable).with_name("tsm")
NO_SUCH_TABLE = "  tables: [{name: mine, product: nowhere, columns: {ra: a, dec: b, z: c}}]\n"
LOCAL, ME = Principal(), Principal(name="me")
MINE = Access(kind="private", name="me")


@pytest.fixture
def hurry(monkeypatch):
    """Let nobody wait: requests follow each other at once, and are not sent again."""
    limits = FetchLimits(retries=0, per_second=1000, connect_seconds=2, total_seconds=60)
    monkeypatch.setattr("pz_tsm_core.remote.Reach", partial(Reach, limits))
    quick = fetch_task().with_options(retry_delay_seconds=0.01)
    monkeypatch.setattr(submission, "fetch_task", lambda: quick)


@pytest.fixture
def run(prefect_client_settings, hurry, store):
    """Run a recipe in this process; give the events that were told."""

    def go(path, principal=LOCAL):
        heard = []
        token = listener.set(heard.append)
        try:
            recipe_run(load_recipe(path), StoreAt(location=str(store), principal=principal))
        finally:
            listener.reset(token)
        return heard

    return go


@pytest.fixture
def tsm_fetch(hurry, folder, store):
    """As `tsm fetch`."""
    return partial(fetch, survey_path=folder / "surveys", store=open_store(store))


@pytest.fixture
def tsm(folder, store, server):
    """Run the real `tsm` in a process of its own; its server is the tests' own."""
    processes = []

    def start(command, *arguments, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        clean |= {"HOME": str(folder), "PREFECT_API_URL": server.url, **environment}
        process = subprocess.Popen([TSM, command, folder / "recipe.yaml", *arguments,
                                    "--store", store], env=clean, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ends(heard):
    """How each stage ended, by label."""
    final = (Moment.CACHED, Moment.DONE, Moment.FAILED)
    return {event.label: event.moment for event in heard if event.moment in final}


def refusal(attempt):
    with pytest.raises(TsmError) as refused:
        attempt()
    return refused.value


def digests(folder):
    """Content of every stage that the last run delivered."""
    record = RunRecord.model_validate_json((folder / "output" / "manifest.json").read_bytes())
    return {stage.label: stage.manifest.content for stage in record.stages}


def test_a_recipe_takes_what_the_store_has_and_asks_nobody(run, define, recipe, tsm_fetch, web):
    define("alpha")
    tsm_fetch("alpha")
    web.requests.clear()
    assert ends(run(recipe("alpha"))) == dict.fromkeys(
        ["standardize alpha", "combine", "partition", "report"], Moment.DONE)
    assert web.requests == []


def test_what_has_not_changed_costs_a_request_and_nothing_is_redone(
    run, define, recipe, web, folder
):
    define("alpha")
    run(recipe("alpha", fetch="if-changed"))
    delivered = digests(folder)
    web.requests.clear()
    heard = run(recipe("alpha", fetch="if-changed"))
    assert web.requests == [("HEAD", "/alpha.csv")]
    assert ends(heard) == dict.fromkeys(
        ["fetch alpha", "standardize alpha", "combine", "partition", "report"], Moment.CACHED)
    # When the sources are asked has no say in what comes out.
    assert set(ends(run(recipe("alpha"))).values()) == {Moment.CACHED}
    assert digests(folder) == delivered


def test_what_has_changed_is_told_and_only_what_depends_on_it_is_redone(
    run, define, recipe, web, folder
):
    for key in ("alpha", "beta"):
        define(key)
    path = recipe("alpha", "beta", fetch="if-changed")
    run(path)
    web.files["beta.csv"] += b"5,151.95,2.95,0.4,4\n"
    heard = run(path)
    cached = {label for label, moment in ends(heard).items() if moment is Moment.CACHED}
    assert cached == {"fetch alpha", "standardize alpha"}
    told = {event.label: event.remarks for event in heard if event.remarks}
    assert told == {"fetch beta": ("rows: 4 before, 5 now (+1)",)}
    fresh = folder / "fresh"
    recipe_run(load_recipe(path), StoreAt(location=str(fresh)))  # as if never fetched before
    again = digests(folder)
    run(path)
    assert digests(folder) == again


def test_surveys_that_were_never_fetched_are_told_together_before_anything_starts(
    define, recipe, tsm, store, folder, web
):
    for key in ("alpha", "beta"):
        define(key)
    recipe("alpha, rows: 3, region: 'cone 150.1 2.2 0.5'", "beta",
           more=NO_SUCH_TABLE)
    process = tsm("run", PREFECT_API_URL="")  # it would start a server of its own
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.count("[source.missing]") == err.count("never fetched") == 2
    assert "[product.unknown] nowhere" in err
    surveys = folder / "surveys"
    assert f"tsm fetch alpha --region 'cone 150.1 2.2 0.5' --rows 3 --survey-path {surveys}" in err
    assert f"tsm fetch beta --survey-path {surveys}" in err
    assert web.requests == []
    assert not (store / "prefect" / "server-0" / "server.log").exists()


def test_the_remedy_is_one(define, recipe, folder, run, store):
    """What a person is told to type makes the same run succeed."""
    define("alpha")
    path = recipe("alpha, rows: 3, region: 'cone 150.1 2.2 0.5'")
    remedy = refusal(lambda: run(path)).problems[0].remedy
    command = remedy.split("`")[1]
    subprocess.run(f"{command} --store {store}", shell=True, check=True, capture_output=True,
                   env={**os.environ, "PATH": str(TSM.parent)})
    assert ends(run(path))["report"] is Moment.DONE


def test_what_only_people_can_download_is_told_as_such(define, recipe, run):
    define("alpha", source="page")
    for policy in ("never", "if-changed"):
        error = refusal(lambda policy=policy: run(recipe("alpha", fetch=policy)))
        assert error.codes == (Code.SOURCE_NONE,)


def test_every_survey_that_cannot_be_had_is_told_and_nothing_is_delivered(
    define, recipe, tsm, web, folder, store
):
    for key in ("alpha", "beta", "gamma"):
        define(key)
    del web.files["alpha.csv"], web.files["gamma.csv"]
    recipe("alpha", "beta", "gamma")
    process = tsm("run", "--fetch", "if-changed")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.count("[service.refused]") == 2
    assert "Traceback" not in out + err
    assert sorted(line.split()[0] for line in out.splitlines()) == ["done", "failed", "failed"]
    assert not (folder / "output").exists()
    assert open_store(store).products.names() == ("beta",)  # what came is not lost


def test_other_mistakes_are_told_before_anything_is_brought(define, recipe, run, web):
    define("alpha")
    path = recipe("alpha", fetch="always", more=NO_SUCH_TABLE)
    assert refusal(lambda: run(path)).codes == (Code.PRODUCT_UNKNOWN,)
    assert web.requests == []


def test_a_misspelt_policy_is_refused_with_the_option_that_named_it(define, recipe, tsm, web):
    define("alpha")
    recipe("alpha")
    process = tsm("run", "--fetch", "if-chnged")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "[value.out-of-range] --fetch" in err
    assert "did you mean `if-changed`?" in err


def test_a_busy_service_is_asked_again(define, recipe, run, web):
    define("alpha")
    web.busy = 2
    heard = run(recipe("alpha", fetch="if-changed"))
    told = [event.moment for event in heard
            if event.label == "fetch alpha" and not event.progress]
    assert told == [Moment.RUNNING, Moment.RETRYING] * 2 + [Moment.RUNNING, Moment.DONE]


def test_what_has_had_its_whole_time_gets_no_more(define, recipe, run, web, monkeypatch):
    define("alpha")
    web.held = True
    hurried = FetchLimits(retries=0, total_seconds=1, stall_seconds=10)
    monkeypatch.setattr("pz_tsm_core.remote.Reach", partial(Reach, hurried))
    error = refusal(lambda: run(recipe("alpha", fetch="if-changed")))
    assert error.codes == (Code.SERVICE_TIMEOUT,)
    assert [method for method, _ in web.requests] == ["HEAD", "GET"]


def test_where_nobody_answers_the_store_is_used_and_its_age_said(
    define, recipe, run, web, caplog
):
    define("alpha")
    path = recipe("alpha", fetch="if-changed")
    run(path)
    web.stop()
    with caplog.at_level(logging.WARNING, "prefect.task_runs"):
        heard = run(path)
    assert set(ends(heard).values()) == {Moment.CACHED}
    lines = []
    for event in heard:
        Lines(lines.append).hear(event)
    assert lines[0].startswith("cached   fetch alpha")
    assert "not reached: " in lines[1]
    assert lines[2].strip() == "last compared with its source: less than an hour old"
    logged = [record.message for record in caplog.records]
    assert "fetch alpha: last compared with its source: less than an hour old" in logged
    error = refusal(lambda: run(recipe("alpha", fetch="always")))
    assert error.codes == (Code.SERVICE_UNREACHABLE,)


def test_a_plan_says_what_is_to_be_fetched_and_what_waits_for_it(define, recipe, tsm, tsm_fetch):
    for key in ("alpha", "beta"):
        define(key)
    tsm_fetch("beta")
    recipe("alpha", "beta")
    out, err = tsm("plan").communicate(timeout=60)
    both = "depends on standardize alpha, standardize beta"
    assert (out.splitlines(), err) == ([
        f"{state:<9}{label:<32}{why}" for state, label, why in (
            ("missing", "fetch alpha", "never fetched"),
            ("depends", "standardize alpha", "depends on fetch alpha"),
            ("missing", "standardize beta", "never made"),
            ("depends", "combine", both),
            ("depends", "partition", "depends on combine"),
            ("depends", "report", f"{both}, combine and 1 more"),
        )], "")


def test_what_was_withdrawn_counts_as_missing(define, recipe, run, tsm, tsm_fetch, store):
    define("alpha")
    tsm_fetch("alpha")
    open_store(store).products.withdraw("alpha@1")
    path = recipe("alpha")
    error = refusal(lambda: run(path))
    assert (error.codes, error.problems[0].found) == ((Code.SOURCE_MISSING,), "withdrawn")
    out, _ = tsm("plan").communicate(timeout=60)
    assert out.splitlines()[0] == f"missing  {'fetch alpha':<32}withdrawn"
    assert ends(run(recipe("alpha", fetch="if-changed")))["fetch alpha"] is Moment.CACHED
    assert str(open_store(store).products.get("alpha")) == "alpha@2"


def test_a_definition_that_wants_more_than_was_fetched_counts_as_missing(
    define, recipe, run, tsm_fetch, folder
):
    define("alpha")
    tsm_fetch("alpha")
    file = folder / "surveys" / "alpha.yaml"
    text = file.read_text().replace("  z: {from: z}", "  z: {from: z_best}")
    file.write_text(text.replace("z: float", "z_best: float"))
    error = refusal(lambda: run(recipe("alpha")))
    assert (error.codes, error.problems[0].found) == (
        (Code.SOURCE_MISSING,), "fetched without `z_best`")


def test_what_an_entry_has_fetched_for_one_person_is_for_nobody_else(define, recipe, run, store):
    define("alpha")
    path = recipe("alpha, access: {kind: private, name: me}", fetch="if-changed")
    assert refusal(lambda: run(path)).codes == (Code.STORE_ACCESS,)  # of another principal
    run(path, ME)
    mine, others = open_store(store, ME), open_store(store)
    assert {each.access for each in mine.products.list()} == {MINE}
    assert mine.products.names() == ("alpha", "deep")
    assert others.products.names() == ()


def test_what_was_fetched_for_one_person_stays_so_where_the_recipe_says_nothing(
    define, recipe, run, folder, store, hurry
):
    define("alpha")
    fetch("alpha", survey_path=folder / "surveys", store=open_store(store, ME), access=MINE)
    assert refusal(lambda: run(recipe("alpha"))).codes == (Code.SOURCE_MISSING,)
    run(recipe("alpha"), ME)
    assert open_store(store, ME).products.get("deep").access == MINE


def test_the_flow_of_the_edge_brings_what_a_recipe_needs(
    define, recipe, run, site, store, web
):
    for key in ("alpha", "beta"):
        define(key)
    given = fetch_surveys(FetchRequest(
        surveys=("alpha", "beta"), region="cone 150.1 2.2 0.5", rows=2))
    assert [open_store(store).manifest(ref).rows.given for ref in given] == [2, 2]
    web.requests.clear()
    run(recipe(*(f"{key}, rows: 2, region: 'cone 150.1 2.2 0.5'" for key in ("alpha", "beta"))))
    assert web.requests == []
    error = refusal(lambda: fetch_surveys(FetchRequest(surveys=("nowhere", "alpha_"))))
    assert error.codes == (Code.SURVEY_UNKNOWN, Code.SURVEY_UNKNOWN)


#: Where a run dies: in the middle of a transfer, and at what makes its table and its name durable.
DEATHS = ("transfer", "publish.before_rename", "publish.after_rename", "add.before", "add.after")


@pytest.mark.parametrize("death", [
    pytest.param(death, marks=() if death in DEATHS[:1] else pytest.mark.prove)
    for death in DEATHS
])
def test_a_run_killed_while_it_fetches_is_completed_by_the_next(
    death, define, recipe, run, tsm, web, folder, store
):
    define("alpha")
    path = recipe("alpha", fetch="if-changed")
    web.held = death == "transfer"
    killed = tsm("run", PZ_TSM_KILL_AT="" if web.held else death)
    if web.held:
        assert web.reached.wait(60)
        killed.kill()
    assert killed.wait(timeout=60) == -signal.SIGKILL
    web.held = False
    whole = open_store(store)
    assert all(whole.verify(version).damages == () for version in whole.products.list())
    run(path)
    disturbed = digests(folder)
    recipe_run(load_recipe(path), StoreAt(location=str(folder / "another")))
    assert digests(folder) == disturbed
    assert open_store(store).products.get("alpha").access == PUBLIC
