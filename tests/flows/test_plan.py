import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.journal import Journal, changes
from flows.pins import Pins
from flows.planning import Planner
from pz_tsm_core.model.artifact import StageRequest
from tasks.stage import StoreAt, listener

policies = st.dictionaries(
    st.sampled_from("abc"), st.recursive(
        st.integers(-9, 9) | st.text("xyz", max_size=3),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6,
    )
)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    return StoreAt(location=str(tmp_path / "store")).open()


@pytest.fixture
def make(toys, opened):
    """Do an order at once, stage by stage, as a flow would but without Prefect."""

    def do_all(recipe):
        token = listener.set(Journal(opened, recipe.name).hear)
        toys.order(recipe, Pins(), lambda stage, **params: stage.run(opened, **params).ref)
        listener.reset(token)

    return do_all


@pytest.fixture
def plan(toys, opened):
    def steps(recipe):
        planner = Planner(opened, Journal(opened, recipe.name))
        toys.order(recipe, Pins(), planner)
        return {step.label: (step.state, step.why) for step in planner.steps}

    return steps


def test_plan_of_an_empty_store_says_never_made_and_what_waits_for_what(plan, toys):
    assert plan(toys.recipe("one", "two")) == {
        "fetch one": ("missing", "never made"),
        "fetch two": ("missing", "never made"),
        "join": ("depends", "depends on fetch one, fetch two"),
        "share": ("depends", "depends on join"),
    }


def test_plan_after_a_run_is_cached_throughout(plan, make, toys):
    make(toys.recipe("one"))
    assert set(plan(toys.recipe("one")).values()) == {("cached", "")}


def test_plan_names_the_changed_part_of_the_recipe(plan, make, toys):
    make(toys.recipe("one"))
    steps = plan(toys.recipe("one", combine={"radius_arcsec": 2.0}, split={"seed": 3}))
    assert steps["fetch one"] == ("cached", "")
    assert steps["join"] == ("missing", "policy.radius_arcsec: 0.75 -> 2.0")
    assert steps["share"] == ("depends", "depends on join")


def test_plan_says_that_an_artifact_is_gone(plan, make, toys, opened):
    make(toys.recipe("one"))
    next((Path(opened.location) / "objects" / "combine").rglob("*.parquet")).unlink()
    assert plan(toys.recipe("one"))["join"] == (
        "missing", "was made, but its artifact is damaged or gone"
    )


def test_plan_names_a_few_of_many_that_wait(plan, toys):
    steps = plan(toys.recipe("a", "b", "c", "d", "e"))
    assert steps["join"][1] == "depends on fetch a, fetch b, fetch c and 2 more"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"join": 3}'])
def test_unreadable_journal_costs_a_reason_and_nothing_else(content, plan, make, toys, opened):
    make(toys.recipe("one"))
    (Path(opened.location) / "journal" / "toy.json").write_text(content)
    steps = plan(toys.recipe("one", split={"seed": 3}))
    assert steps["join"] == ("cached", "")
    assert steps["share"] == ("missing", "never made")


@given(policies, policies)
def test_changes_are_told_exactly_when_requests_differ(before, after):
    requests = [StageRequest(stage="join", version=1, policy=p) for p in (before, after)]
    assert bool(changes(*requests)) == (before != after)


def test_plan_loads_neither_prefect_nor_dask():
    """The commands and the order import what every task module imports at its top."""
    code = (
        "import sys, flows.commands, flows.order, flows.planning, flows.local_run, flows.pins\n"
        "print([name for name in ('prefect', 'lsdb', 'dask', 'pandas') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, text=True, capture_output=True
    )
    assert done.stdout.strip() == "[]"
