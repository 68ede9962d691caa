"""What is decided about runs that died or seemed to, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Running,
    Scheduled,
)

from flows.attending import Verdict, verdict
from flows.recover import RecoveryPolicy, _is_silent, next_try, retries_of
from flows.settings import SILENCE_SECONDS, SILENT, service_environment

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("state", "expected"), [
    (Running(), Verdict.GO_ON),
    (Crashed(message=SILENT), Verdict.ALIVE),
    (Crashed(message="Process exited with status code: -9."), Verdict.REPLACED),
    (AwaitingRetry(), Verdict.REPLACED),
    (Scheduled(), Verdict.REPLACED),
    (Pending(), Verdict.REPLACED),
    (Cancelling(), Verdict.CANCELLED),
    (Cancelled(), Verdict.REPLACED),
    *((state, Verdict.OVER) for state in (Completed(), Failed())),
])
def test_a_process_draws_the_right_conclusion_from_the_state_of_its_run(state, expected):
    assert verdict(state, attempt=1, mine=1) is expected


def test_a_process_whose_run_was_begun_again_elsewhere_has_nothing_more_to_say():
    assert verdict(Running(), attempt=2, mine=1) is Verdict.REPLACED


def test_each_retry_waits_twice_as_long_and_is_counted_by_its_state():
    policy = RecoveryPolicy(retries=3, delay_seconds=5)
    states = [Running(), Crashed(message="x")]
    for wait in (5, 10, 20):
        states.append(next_try(policy, retries_of(states), NOW))
        assert states[-1].state_details.scheduled_time == NOW + timedelta(seconds=wait)
    assert retries_of(states) == 3
    assert retries_of([AwaitingRetry(message="by a person")]) == 0


@pytest.mark.parametrize("wait", [
    Scheduled(name="AwaitingConcurrencySlot"), Scheduled(name="Late"), AwaitingRetry()])
def test_a_retry_that_waits_for_its_turn_is_counted_all_the_same(wait):
    policy = RecoveryPolicy()
    states = [Scheduled(), wait, Pending(), Running(), Crashed(message="x")]
    states += [next_try(policy, 0, NOW), wait, Pending(), Running(), Crashed(message="x")]
    for second, state in enumerate(states):
        state.timestamp = NOW + timedelta(seconds=second)
    assert retries_of(states) == 1
    by_a_person = AwaitingRetry()
    by_a_person.timestamp = NOW + timedelta(hours=1)
    assert retries_of([*states, by_a_person]) == 0


def test_a_run_that_has_said_that_it_lives_is_silent_no_more():
    assert _is_silent(Running(timestamp=LONG_AGO))
    assert _is_silent(Pending(timestamp=LONG_AGO))
    assert not _is_silent(Crashed(timestamp=LONG_AGO))
    assert not _is_silent(Running(message="it was silent, not dead"))


def test_a_dead_run_is_found_within_two_minutes_and_one_sign_of_life_may_be_lost():
    beat = int(service_environment()["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert 2 * beat < SILENCE_SECONDS < 120
    # A run that was only silent may speak before it is given to another process.
    assert SILENCE_SECONDS + RecoveryPolicy().hearing_seconds < 120
