"""What `tsm deploy` brings to a server, beyond what the tests of the whole service see."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from deployments.deploy import _schedule, notified
from pz_tsm_core import changes
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.service import SITE
from pz_tsm_core.service.site import Schedule
from pz_tsm_core.store import open_store

NAME, ASKED = "scheduled", {"request": {"surveys": ["alpha"]}}
MONDAYS = Schedule(cron="0 3 * * 1", timezone="America/Santiago")


@pytest.fixture
def schedules(prefect_client_settings):
    """Give a deployment a schedule; tell those that it has then."""
    with get_client(sync_client=True) as client:
        made = client.create_flow(flow(lambda: None, name=NAME))
        deployment = client.create_deployment(flow_id=made, name=NAME)

        def put(schedule, parameters=ASKED):
            _schedule(client, NAME, parameters, schedule)
            return client.read_deployment_schedules(deployment)

        put.pause = lambda each: client.update_deployment_schedule(
            deployment, each.id, active=False)
        put.defaults = lambda: client.read_deployment(deployment).parameters
        yield put
        client.delete_deployment(deployment)


def test_a_schedule_stays_as_it_is_until_the_site_says_otherwise(schedules) -> None:
    first, = schedules(MONDAYS)
    assert (first.schedule.cron, first.schedule.timezone) == ("0 3 * * 1", "America/Santiago")
    assert schedules.defaults() == ASKED
    schedules.pause(first)
    again, = schedules(MONDAYS)
    assert (again.id, again.active) == (first.id, False)  # whoever paused it had a reason
    other, = schedules(Schedule(cron="0 4 * * 1"))
    assert (other.schedule.cron, other.active) == ("0 4 * * 1", True)
    same, = schedules(Schedule(cron="0 4 * * 1"), {"request": {"surveys": ["beta"]}})
    assert same.id == other.id
    assert schedules.defaults() == {"request": {"surveys": ["beta"]}}
    assert schedules(None) == []


def test_a_schedule_that_is_none_is_refused_in_words(schedules) -> None:
    with pytest.raises(TsmError) as told:
        schedules(Schedule(cron="61 3 * * 1"))
    assert told.value.codes == (Code.SITE_INVALID,)


@pytest.mark.parametrize(("variables", "told"), [
    ({}, None), ({"PZ_TSM_WEBHOOK": "https://chat.example.org/x"}, "https://chat.example.org/x"),
])
def test_the_address_of_who_is_told_comes_from_the_environment(
    variables, told, monkeypatch
) -> None:
    for name in ("PZ_TSM_WEBHOOK", "PZ_TSM_WEBHOOK_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = notified()
    assert (found and found.get_secret_value()) == told


def test_the_address_may_stand_in_a_file_and_is_never_shown(tmp_path, monkeypatch) -> None:
    file = tmp_path / "webhook"
    file.write_text("https://chat.example.org/s3cret\n")
    monkeypatch.setenv("PZ_TSM_WEBHOOK_FILE", str(file))
    assert notified().get_secret_value() == "https://chat.example.org/s3cret"
    file.write_text("s3cret without an address")
    with pytest.raises(TsmError) as wrong:
        notified()
    assert "s3cret" not in str(wrong.value)
    file.unlink()
    with pytest.raises(TsmError) as missing:
        notified()
    assert missing.value.codes == (Code.FILE_MISSING,)


def test_a_service_that_does_not_hear_of_a_change_does_not_undo_it(
    tmp_path, monkeypatch, caplog
) -> None:
    deaf = EntryPoint("forms", "tests_nowhere:offer", changes.GROUP)
    monkeypatch.setattr(changes, "entry_points", lambda group: [deaf])
    monkeypatch.setenv(SITE, str(tmp_path / "site.yaml"))
    with caplog.at_level(logging.WARNING, "pz_tsm_core"):
        changes.tell_changed(open_store(tmp_path / "store"))
    assert "the forms of the service do not know yet" in caplog.text
