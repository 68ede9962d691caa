"""`tsm releases`: the profiles that a recipe's `catalog.release` can name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.table import print_page


@app.command(**shown("releases"))
def releases(
    release: Annotated[str | None, typer.Argument(
        help="Key of a profile, or a YAML file of your own; without it all are listed.",
        show_default=False, autocompletion=completion.releases)] = None,
    catalog: Annotated[Path | None, typer.Option(
        help="A HATS catalogue: tell which kinds of flux it has.",
        autocompletion=completion.files)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,  # noqa: FBT002 - typer calls it so
) -> None:
    """List profiles of object catalogues, or show one and its fluxes."""
    from pz_tsm_core.display.releases import list_releases, show_release

    if release is None and catalog is None:
        print_page(list_releases(), as_json)
    elif release is None:
        raise typer.BadParameter("name the release that the catalogue is of", param_hint="RELEASE")
    else:
        print_page(show_release(release, catalog), as_json)
