"""Every piece of work counted once, by whoever does it, and nothing when nobody listens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.progress import Progress, counted, heard_by
from pz_tsm_core.sky.cluster import LOOPBACK_ONLY, pool_of


def told(progress):
    return progress.done, progress.total, progress.unit


@pytest.fixture
def heard():
    progress = []
    with heard_by(progress.append):
        yield progress


def test_every_thing_is_counted_once_as_it_is_handed_on(heard) -> None:
    things = counted("abc", "letters", 3)
    assert heard == []
    assert next(things) == "a"
    assert [told(each) for each in heard] == [(1, 3, "letters")]
    assert list(things) == ["b", "c"]
    assert [told(each) for each in heard] == [(n, 3, "letters") for n in (1, 2, 3)]


def test_things_count_for_what_they_hold_and_go_on_from_those_before(heard) -> None:
    assert list(counted(["ab", "cde"], "letters", 9, before=4, size=len)) == ["ab", "cde"]
    assert [told(each) for each in heard] == [(6, 9, "letters"), (9, 9, "letters")]


def test_the_rest_takes_as_long_as_the_pace_so_far_says(heard, monkeypatch) -> None:
    clock = iter([100.0, 104.0, 106.0])  # began; one done; three done
    monkeypatch.setattr("pz_tsm_core.progress.time.monotonic", lambda: next(clock))
    list(counted(["a", "bc"], "letters", 9, before=2, size=len))
    # Four seconds for the first of seven; six for three of them.
    assert [each.left_seconds for each in heard] == [4.0 * 6, 6.0 / 3 * 4]


def test_of_an_unknown_whole_nothing_is_foretold(heard) -> None:
    list(counted("a", "letters"))
    assert [(each.fraction, each.left_seconds) for each in heard] == [(None, None)]
    assert str(heard[0]) == "1 letters"
    assert str(Progress(1200, 4800, "rows")) == "1,200 of 4,800 rows"


def test_more_than_was_promised_is_no_more_than_all() -> None:
    assert Progress(12, 10, "rows").fraction == 1.0


def test_without_a_listener_or_a_name_the_things_come_as_they_are() -> None:
    things = iter("abc")
    assert counted(things, "letters") is things
    with heard_by(pytest.fail):
        assert counted(things, "") is things


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("kind", ["threads", "address"])
def test_pieces_are_counted_where_their_results_are_taken_wherever_they_are_done(
    kind, heard
) -> None:
    from distributed import LocalCluster

    with ExitStack() as stack:
        policy = ClusterPolicy(workers=1)
        if kind == "address":
            cluster = stack.enter_context(LocalCluster(
                n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://",
                host="127.0.0.1", **LOOPBACK_ONLY))
            policy = ClusterPolicy(kind=kind, address=cluster.scheduler_address)
        with pool_of(policy) as pool:
            assert list(pool.in_order(double, range(7))) == list(range(0, 14, 2))
            assert list(pool.in_order(double, iter(range(3)), unit="parts", total=3)) == [0, 2, 4]
            assert list(pool.in_order(double, [1], before=7)) == [2]
            assert list(pool.in_order(double, [1], unit="")) == [2]
    assert [told(each) for each in heard] == [
        *((n, 7, "partitions") for n in range(1, 8)),
        *((n, 3, "parts") for n in (1, 2, 3)), (8, 8, "partitions")]


def test_two_at_once_hear_their_own_counts_alone() -> None:
    def work(name):
        heard = []
        with heard_by(heard.append):
            list(counted(range(50), name, 50))
        return heard

    with ThreadPoolExecutor(2) as pool:
        for name, heard in zip("ab", pool.map(work, "ab"), strict=True):
            assert [told(each) for each in heard] == [(n, 50, name) for n in range(1, 51)]


def test_a_whole_run_counts_the_rows_and_partitions_that_its_manifests_state(mock_run) -> None:
    """Whatever a stage counts, it counts to the end, and to what the store has."""
    heard = mock_run.heard
    assert all(each.done == each.total for counts in heard.values() for each in counts.values())
    taken = {label: manifest.rows.taken for label, manifest in mock_run.manifests.items()
             if manifest.rows}
    for label in ("retrieve primus", "correct", "split", "export"):
        assert heard[label]["rows"].done == taken[label]
    assert heard["report"]["rows"].done == taken["split"]
    collection = mock_run.store.directory(mock_run.manifests["partition"].ref) / "galaxies_hats"
    files = list(collection.glob("galaxies/dataset/Norder=*/Dir=*/Npix=*"))
    assert heard["partition"]["partitions"].done == len(files)
    assert {"neighbors", "crossmatch"} <= set(heard)
    assert set(heard["combine"]) == {"bands of the sky", "parts of the sky"}
