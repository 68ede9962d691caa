"""The command `tsm` itself: what it says of itself, and how it is called again."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from pz_tsm_core.cli.help import FIRST_STEPS, Ordered

app = typer.Typer(
    name="tsm",
    cls=Ordered,
    help="Make training sets for photometric redshifts, and say why every row is there.",
    epilog=FIRST_STEPS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def called() -> str:
    """How this command can be called again from here: by name, or by its path in `.venv`."""
    if shutil.which("tsm"):
        return "tsm"
    path, here = Path(sys.argv[0]), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"pz-tsm {version('pz-tsm')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[  # noqa: FBT002 - typer calls it so
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Make training sets for photometric redshifts, and say why every row is there."""
