"""`tsm surveys`: what recipes can name."""

from __future__ import annotations

import typer

from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown


@app.command(**shown("surveys"))
def surveys() -> None:
    """List the surveys that recipes can name."""
    from pz_tsm_core.surveys import registry

    width = max(map(len, registry()))
    for survey in registry().values():
        typer.echo(f"{survey.key:<{width}}  {survey.name} ({survey.facility}, {survey.year})")
