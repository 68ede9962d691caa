"""A service set up at a Prefect server, or brought to what its file says now."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists
from pydantic import SecretStr

from deployments.automations import POOL, RECOVER, set_up_automations
from flows.offering import offer
from flows.recover import RecoveryPolicy
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.service import SITE, MaintenanceRequest, Site
from pz_tsm_core.service.site import Schedule

ROOT = Path(__file__).parents[1]
DECLARED = Path("deployments", "prefect.yaml")
#: Long enough for five deployments on a busy machine.
SECONDS = 180.0


def deploy(site: Site, file: Path) -> tuple[str, ...]:
    """Make or renew all that a service needs at the Prefect server; give its deployments.

    Parameters
    ----------
    file : of the site, where workers find it too

    Raises
    ------
    TsmError
        `site.missing` when Prefect refuses; `site.invalid` for a schedule that is none.
    """
    scheduled = list(_scheduled(site))
    for _, _, schedule in scheduled:
        _cron(schedule)  # a mistake is told before anything is made
    webhook = notified()
    with get_client(sync_client=True) as client:
        _make_pool(client)
        _declare(file)
        _limit_queues(client, site)
        offered = offer(site)
        for name, parameters, schedule in scheduled:
            _schedule(client, name, parameters, schedule)
        recovery = client.read_deployment_by_name(f"{RECOVER}/{RECOVER}")
        policy = RecoveryPolicy(retries=site.retries).model_dump(mode="json")
        client.update_deployment(recovery.id, DeploymentUpdate(parameters={"policy": policy}))
        set_up_automations(client, webhook)
    return offered


def notified() -> SecretStr | None:
    """The address that is told when somebody must decide; a secret, as whoever has it may write.

    It stands in PZ_TSM_WEBHOOK, or in the file that PZ_TSM_WEBHOOK_FILE names.
    """
    file = os.environ.get("PZ_TSM_WEBHOOK_FILE")
    try:
        told = Path(file).read_text("utf-8").strip() if file else os.environ.get("PZ_TSM_WEBHOOK")
    except OSError as error:
        raise refuse(Code.FILE_MISSING, f"PZ_TSM_WEBHOOK_FILE {file}",
                     found=error.strerror or str(error), expected="a file with one address",
                     remedy="correct the path, or leave the variable out") from None
    if told and not re.fullmatch(r"https?://\S+", told):
        raise refuse(Code.SITE_INVALID, "PZ_TSM_WEBHOOK", found="no address (it is not shown)",
                     expected="an address such as https://chat.example.org/hooks/...",
                     remedy="correct it")
    return SecretStr(told) if told else None


def _make_pool(client: SyncPrefectClient) -> None:
    """The work pool, if it is not there; queues come with the deployments that name them."""
    with suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def _declare(file: Path) -> None:
    """Have Prefect carry out its own file."""
    # Its command is the one way to its file; -P keeps the folder's common names off the path.
    words = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all",
             "--prefect-file", str(DECLARED)]
    done = subprocess.run(  # noqa: S603 - our own words
        words, cwd=ROOT, env={**os.environ, SITE: str(file)}, text=True, capture_output=True,
        stdin=subprocess.DEVNULL, timeout=SECONDS, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise refuse(Code.SITE_MISSING, "prefect deploy", found=said[-1],
                     expected="deployments made by the Prefect server",
                     remedy=f"try by hand: prefect deploy --all --prefect-file {DECLARED}")


def _limit_queues(client: SyncPrefectClient, site: Site) -> None:
    """Say how many runs go on at once; what is more waits in its queue.

    Not by limits of deployments: a run holds those by a lease that dies with a server that is away
    for some minutes, and the run with it (docs/adr/028).
    """
    # Archives are asked politely, and equal retrievals would only wait for each other.
    for name, limit in {"compute": site.at_once, "edge": 1}.items():
        queue = client.read_work_queue_by_name(name, POOL)
        client.update_work_queue(queue.id, concurrency_limit=limit)


def _scheduled(site: Site) -> Iterator[tuple[str, dict[str, Any], Schedule | None]]:
    """Deployments that run by themselves, what they are asked for then, and when."""
    refresh = site.refresh
    asked = {"request": refresh.model_dump(mode="json", exclude={"schedule"})} if refresh else {}
    yield "refresh-compilation", asked, refresh.schedule if refresh else None
    yield ("maintain-store", {"request": MaintenanceRequest().model_dump(mode="json")},
           site.maintenance)


def _schedule(
    client: SyncPrefectClient, name: str, parameters: dict[str, Any], schedule: Schedule | None
) -> None:
    """Give a deployment its defaults, and the schedule on which it runs with them.

    A schedule that stands as it should stays, paused or not. It has no parameters of its own:
    Prefect forgets them when it is paused.
    """
    deployment = client.read_deployment_by_name(f"{name}/{name}")
    client.update_deployment(deployment.id, DeploymentUpdate(parameters=parameters))
    wanted = _cron(schedule)
    for standing in client.read_deployment_schedules(deployment.id):
        if standing.schedule == wanted:
            wanted = None
        else:
            client.delete_deployment_schedule(deployment.id, standing.id)
    if wanted:
        made = DeploymentScheduleCreate(schedule=wanted, slug=name)
        client.create_deployment_schedules(deployment.id, [made])


def _cron(schedule: Schedule | None) -> CronSchedule | None:
    if schedule is None:
        return None
    try:
        return CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    except ValueError as error:
        raise refuse(Code.SITE_INVALID, "cron", found=f"`{schedule.cron}`",
                     expected="minute, hour, day, month and weekday, as `0 3 * * 1`",
                     remedy="correct the schedule") from error
