"""`tsm combine`: configurations of the existing pipeline, carried out as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.crc import Done


@app.command(**shown("combine"))
def combine(
    config: Annotated[Path, typer.Argument(
        help="A configuration of Combine Redshift Catalogs, in the layout of June or of July 2026.",
        show_default=False, autocompletion=completion.recipes)],
    base_dir: Annotated[Path | None, typer.Option(
        "--base-dir", "--base_dir",
        help="Folder of the run, for its log, process.yml and copies of what it was told. "
             "(default: the first of process001, process002 ... that is not there)",
        autocompletion=completion.files)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,  # noqa: FBT002
) -> None:
    """Combine catalogues as an existing configuration says.

    Catalogues and the rule file are looked for from the configuration's folder, then from here;
    output_root_dir counts from here. Nothing there is replaced unless everything succeeds.
    """
    from pz_tsm_core import crc

    done = crc.run(config, base_dir)
    if as_json:
        typer.echo(json.dumps(_facts(done)))
        return
    for name, text in _told(done):
        typer.echo(printable(f"{name:<12}{text}"))


def _told(done: Done) -> Iterator[tuple[str, str]]:
    """What was made, and where to look further."""
    combined, given = done.combined, sum(each.kept > 0 for each in done.combined.catalogs)
    yield "product", str(done.product)
    yield "rows", (f"{combined.table.num_rows:,} from {given} of "
                   f"{len(combined.catalogs)} catalogues")
    if combined.ties:
        yield "pairs", (f"{combined.pairs:,} within "
                        f"{done.plan.settings.radius_arcsec:g} arcsec; {combined.groups:,} groups")
        yield "tie_result", ", ".join(f"{tie.value} ({tie.name.lower()}): {rows:,}"
                                      for tie, rows in combined.ties.items())
    yield "log", str(done.log)


def _facts(done: Done) -> dict[str, Any]:
    combined = done.combined
    return {
        "product": str(done.product), "folder": str(done.folder), "log": str(done.log),
        "rows": combined.table.num_rows, "columns": combined.table.column_names,
        "catalogs": [{"name": each.name, "rows": each.rows, "kept": each.kept,
                      "dropped": dict(each.dropped)} for each in combined.catalogs],
        "pairs": combined.pairs, "groups": combined.groups,
        "tie_result": {str(tie.value): rows for tie, rows in combined.ties.items()},
    }
