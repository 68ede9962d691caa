"""`tsm new`: things to start from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app, called
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import (
    PrincipalOption,
    RightOption,
    StoreOption,
    SurveyPathOption,
    opened,
)
from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.propose import Proposal

new = typer.Typer(no_args_is_help=True)
app.add_typer(new, name="new", help="Propose a recipe for a table of your own.",
              rich_help_panel=shown("new")["rich_help_panel"])


@new.command(**shown("new recipe"))
def recipe(  # noqa: PLR0917 - typer calls it by keywords
    table: Annotated[str, typer.Argument(
        help="A table of redshifts: Parquet, CSV, FITS, VOTable, ECSV, HDF5, a HATS folder, or a "
             "product of the store (NAME or NAME@2).",
        autocompletion=completion.anything, show_default=False)],
    catalog: Annotated[Path | None, typer.Option(
        help="Folder of the LSST Object catalogue; without it the recipe ends with one row a "
             "galaxy.", autocompletion=completion.files)] = None,
    release: Annotated[str | None, typer.Option(
        help="Release of the catalogue: dp02, dp1, dp2, generic, or a YAML file of your own. "
             "(default: told by its columns)")] = None,
    dust: Annotated[Path | None, typer.Option(
        help="Folder of the dust maps. (default: dust beside the catalogue, or the one of "
        "tsm dustmaps)",
        autocompletion=completion.files)] = None,
    output: Annotated[Path, typer.Option(help="The recipe to write; never over a file.")] = Path(
        "recipe.yaml"),
    name: Annotated[str | None, typer.Option(
        help="Name of the table and of the result. (default: that of the file)")] = None,
    own: Annotated[bool, typer.Option(  # noqa: FBT002 - typer calls it so
        "--own", help="It is no registered survey's, even if it looks like one.")] = False,
    survey_path: SurveyPathOption = None,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Propose a recipe for a table of redshifts.

    Which column is what, how flags are meant and what is no redshift is told from names, units,
    UCDs and values; each choice is written down with its reason, guesses are marked CHECK.
    """
    from pz_tsm_core.propose import propose_recipe

    proposal = propose_recipe(
        table, catalog=catalog, release=release, dust=dust, output=output, name=name, own=own,
        survey_path=survey_path, store=opened(store, principal, right))
    proposal.write()
    for line in _told(proposal, output):
        typer.echo(printable(line))


def _told(proposal: Proposal, output: Path) -> Iterator[str]:
    """What was seen, what to look at, and what to do next."""
    before = ""
    for finding in proposal.findings:
        if not finding.check:
            yield f"{finding.about if finding.about != before else '':<16}{finding.text}"
            before = finding.about
    checks = [finding for finding in proposal.findings if finding.check]
    if checks:
        yield "please look at:"
        yield from (f"  {finding.about:<14}{finding.text}" for finding in checks)
    yield f"{'wrote':<16}{output}"
    if proposal.definition_file:
        yield f"{'wrote':<16}{output.with_name(proposal.definition_file.name)}"
    rights = f" --right {proposal.right}" if proposal.right else ""
    yield f"{'next':<16}{called()} run {shlex.quote(str(output))}{rights}"
