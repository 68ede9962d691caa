"""A run that dies at any durable step, and the same command again."""

import signal

import pytest

STAGES = 3  # fetch, join, share: every point is passed once in each
POINTS = (
    "stage.before", "draft.batch", "publish.filled", "publish.before_manifest",
    "publish.after_manifest", "publish.before_rename", "publish.after_rename", "publish.after",
)
MATRIX = [f"{point}:{nth}" for point in POINTS for nth in range(1, STAGES + 1)]
SAMPLE = ("draft.batch:2", "publish.after_rename:3")


@pytest.mark.parametrize("place", [
    *SAMPLE,
    *(pytest.param(place, marks=pytest.mark.prove) for place in MATRIX if place not in SAMPLE),
])
def test_run_killed_at_a_durable_step_is_completed_by_the_next(
    place, tsm, recipe_file, server, store, toys, folder
):
    recipe, elsewhere = recipe_file("one"), {"PREFECT_API_URL": server.url}
    killed = tsm("run", recipe, PZ_TSM_KILL_AT=place, **elsewhere)
    assert killed.wait(timeout=60) == -signal.SIGKILL
    whole = {file.parent.name for file in store.rglob("objects/*/*/*/manifest.json")}
    again = tsm("run", recipe, **elsewhere)
    out, err = again.communicate(timeout=60)
    assert (again.returncode, err) == (0, "")
    assert sum(line.startswith("cached") for line in out.splitlines()) == len(whole)
    # What stood was not made again; what died was.
    assert len(toys.calls()) <= STAGES + 1
    assert len(list(store.rglob("objects/*/*/*/manifest.json"))) == STAGES
