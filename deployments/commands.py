"""The command that needs all of the application: `tsm deploy`.

Imports stand inside the function: `tsm --help` must not wait for them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pz_tsm_core.cli import completion

SiteFile = Annotated[
    Path, typer.Argument(metavar="SITE", help="The file that describes the service.",
                         envvar="PZ_TSM_SITE", autocompletion=completion.files)
]


def deploy(site: SiteFile) -> None:
    """Set a service up at its Prefect server, or renew it.

    The server is the one in PREFECT_API_URL. Doing it twice does no harm; schedules that somebody
    paused stay paused. PZ_TSM_WEBHOOK, or the file in PZ_TSM_WEBHOOK_FILE, holds the address that
    is told of what waits for a person.
    """
    from flows.preflight import require_server
    from flows.settings import QUIET
    from pz_tsm_core.service import load_site

    read = load_site(site)
    server = require_server()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from deployments.deploy import deploy

    file = site.absolute()
    for name in deploy(read, file):
        typer.echo(f"deployed  {name}")
    interface = server.removesuffix("/api")
    typer.echo(f"look at   {interface}/deployments")
    typer.echo("serve it  infra/service worker (docs/how-to/operate.md)")
