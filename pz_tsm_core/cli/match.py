"""`tsm match`: configurations of the existing pipeline, carried out as they are."""

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
    from pz_tsm_core.training_set_maker import Done


@app.command(**shown("match"))
def match(
    config: Annotated[Path, typer.Argument(
        help="A configuration of Training Set Maker, in the layout of June or of July 2026.",
        show_default=False, autocompletion=completion.recipes)],
    base_dir: Annotated[Path | None, typer.Argument(
        help="Folder of the run, for its log, process.yml and copies of what it was told. "
             "(default: the first of process001, process002 ... that is not there)",
        show_default=False, autocompletion=completion.files)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,  # noqa: FBT002
) -> None:
    """Match redshifts with objects as an existing configuration says.

    Redshifts and objects are looked for from the configuration's folder, then from here;
    output_root_dir counts from the folder of the run. Nothing there is replaced unless everything
    succeeds.
    """
    from pz_tsm_core import training_set_maker

    done = training_set_maker.run(config, base_dir)
    if as_json:
        typer.echo(json.dumps(_facts(done)))
        return
    for name, text in _told(done):
        typer.echo(printable(f"{name:<12}{text}"))


def _told(done: Done) -> Iterator[tuple[str, str]]:
    """What was made, and where to look further."""
    made, told = done.made, done.plan.param
    yield "product", str(done.product)
    yield "rows", (f"{made.table.num_rows:,}; {made.matched:,} of {made.redshifts:,} redshifts "
                   f"have an object within {told.crossmatch.radius_arcsec:g} arcsec")
    if made.shared:
        yield "shared", f"{made.shared:,} rows have an object that another row has as well"
    yield "training", (f"{made.training:,} rows; train_fraction {told.train_fraction:g}, "
                       f"random_seed {done.plan.seed}")
    yield "log", str(done.log)


def _facts(done: Done) -> dict[str, Any]:
    made = done.made
    return {
        "product": str(done.product), "folder": str(done.folder), "log": str(done.log),
        "rows": made.table.num_rows, "columns": made.table.column_names,
        "redshifts": made.redshifts, "matched": made.matched, "shared": made.shared,
        "training": made.training, "random_seed": done.plan.seed,
        "columns_assoc": dict(made.associated), "remarks": list(done.plan.remarks),
    }
