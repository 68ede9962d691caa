"""`tsm promote`: a candidate becomes what everybody gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.changes import tell_changed
from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import PrincipalOption, RightOption, StoreOption, opened
from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.model.product import ProductVersion


@app.command(**shown("promote"))
def promote(
    ref: Annotated[str, typer.Argument(
        metavar="REF", show_default=False, autocompletion=completion.products,
        help="NAME@7, or NAME for the newest candidate of that name.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Let a version that waits as a candidate become the latest."""
    from pz_tsm_core.model.product import latest_of

    at = opened(store, principal, right)
    former = latest_of(at.products.versions(ref.partition("@")[0]))
    version = at.products.promote(ref)
    tell_changed(at)
    if as_json:
        typer.echo(json.dumps({"latest": str(version), "former": str(former) if former else None,
                               "promoted": promotion(version)}))
        return
    for line in _told(version, former):
        typer.echo(printable(line))


def promotion(version: ProductVersion) -> dict[str, Any] | None:
    """Who promoted a version, and when; None for one that was never a candidate."""
    return version.promoted.model_dump(mode="json") if version.promoted else None


def state(version: ProductVersion, latest: int | None) -> str:
    """What a version is among those of its name: the latest, one that waits, or an older one."""
    if version.version == latest:
        return "latest"
    if not version.waits:
        return ""
    return "passed by" if latest and latest > version.version else "candidate"


def judged(version: ProductVersion) -> Iterator[str]:
    """Why a version waits, or who promoted it."""
    if version.judgement:
        against = f" against {version.judgement.former}" if version.judgement.former else ""
        figures, failed = version.judgement.findings, version.judgement.failed
        yield f"{'figures':<10}{len(figures) - len(failed)} of {len(figures)} passed{against}"
        yield from (f"{'':<10}{finding.words}" for finding in failed)
    if version.promoted:
        yield f"{'promoted':<10}by {version.promoted.by}, {version.promoted.at}"
    elif version.waits:
        yield f"{'decide':<10}tsm promote {version}, or tsm products withdraw {version}"


def _told(version: ProductVersion, former: ProductVersion | None) -> Iterator[str]:
    if former and former.version == version.version:
        yield f"{version} is {version.name}@latest already"
        return
    instead = f", in the place of {former}" if former else ""
    yield f"{version} is {version.name}@latest now{instead}"
    for finding in version.judgement.failed if version.judgement else ():
        yield f"  although {finding.words}"
