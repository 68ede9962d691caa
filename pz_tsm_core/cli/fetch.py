"""`tsm fetch`: public catalogues from where they are published into the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.changes import tell_changed
from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import (
    PrincipalOption,
    RightOption,
    StoreOption,
    SurveyPathOption,
    opened,
    policy_named,
)
from pz_tsm_core.cli.progress import progress
from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.retrieval import Fetched


@app.command(**shown("fetch"))
def fetch(  # noqa: PLR0917 - typer calls it by keywords
    surveys: Annotated[list[str], typer.Argument(
        metavar="SURVEY...", help="Keys of surveys, as `tsm surveys` lists them.",
        show_default=False, autocompletion=completion.surveys)],
    region: Annotated[str, typer.Option(
        help="A field such as ecdfs, 'cone RA DEC RADIUS' or 'box RA RA DEC DEC' in degrees, or a "
        "file with a MOC.", autocompletion=completion.regions)] = "",
    rows: Annotated[int | None, typer.Option(help="At most so many, for a look.", min=1)] = None,
    service: Annotated[str | None, typer.Option(
        "--from", metavar="SERVICE",
        help="One of the services that give the survey. (default: the first)",
        autocompletion=completion.services)] = None,
    policy: Annotated[str, typer.Option(
        help="When to ask the source: never, if-changed or always.",
        autocompletion=completion.policies)] = "if-changed",
    accept: Annotated[bool, typer.Option(  # noqa: FBT002 - typer calls it so
        "--accept", help="Take a catalogue also when many of its rows have gone since.")] = False,
    private: Annotated[bool, typer.Option(  # noqa: FBT002
        "--private", help="For your eyes only, and all that is made from it.")] = False,
    max_seconds: Annotated[float, typer.Option(
        help="For each survey, waits and retries included.", min=1)] = 6 * 3600.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,  # noqa: FBT002
    survey_path: SurveyPathOption = None,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Bring public catalogues into the store, for recipes to name.

    What has not changed since is not brought again. Where no service answers, what the store has
    is kept, and its age said.
    """
    from pz_tsm_core.model.artifact import PUBLIC, Access
    from pz_tsm_core.model.retrieval import FetchLimits
    from pz_tsm_core.retrieval import fetch as bring

    at = opened(store, principal, right)
    given: list[Fetched] = []
    tell = given.append if as_json else _tell
    access = Access(kind="private", name=principal) if private else PUBLIC
    try:
        with progress(shown=not as_json) as hear:
            bring(surveys, region=region, rows=rows, service=service,
                  policy=policy_named(policy, "--policy"), access=access, accept=accept,
                  survey_path=survey_path, store=at,
                  limits=FetchLimits(total_seconds=max_seconds), hear=hear, done=tell)
    except KeyboardInterrupt:
        typer.echo("interrupted; what came stays: the same command goes on there", err=True)
        raise
    finally:
        tell_changed(at)
        if as_json:
            typer.echo(json.dumps([_facts(each) for each in given]))


def _tell(fetched: Fetched) -> None:
    """What came, what has changed, and how to use it."""
    record = fetched.record
    typer.echo(f"{fetched.state:<10}{fetched.version!s:<32}{record.given:>12,} rows")
    for remark in fetched.remarks:
        typer.echo(printable(f"          {remark}"))
    if fetched.state == "new":
        typer.echo(f"          for recipes: redshifts: {{surveys: [{{survey: {fetched.survey}, "
                   f"product: {fetched.version}}}]}}")


def _facts(fetched: Fetched) -> dict[str, Any]:
    record = fetched.record
    return {
        "survey": fetched.survey, "product": str(fetched.version), "state": fetched.state,
        "rows": record.given, "remarks": list(fetched.remarks), "fetched": record.fetched,
        "checked": record.checked, "address": record.ref.address, "content": record.ref.content,
        "services": sorted({source.service for source in record.request.sources}),
    }
