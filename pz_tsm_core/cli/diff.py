"""`tsm diff`: what changed from one compilation to another."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import PrincipalOption, RightOption, StoreOption, opened
from pz_tsm_core.cli.table import print_table
from pz_tsm_core.errors import Code, TsmError, refuse

if TYPE_CHECKING:
    from pz_tsm_core.quality.diff import Diff

#: What is counted, as people read it.
_COUNTS = {
    "added": "galaxies added", "removed": "galaxies removed", "merged": "merged from several",
    "split": "split into several", "renamed": "called otherwise",
    "redshifts": "with another redshift", "rows_added": "measurements added",
    "rows_removed": "measurements removed",
}


@app.command(**shown("diff"))
def diff(  # noqa: PLR0917 - typer calls it by keywords
    old: Annotated[str, typer.Argument(
        metavar="OLD", show_default=False, autocompletion=completion.products,
        help="A compilation, or a training set made with one: NAME, NAME@latest or NAME@7.")],
    new: Annotated[str, typer.Argument(
        metavar="NEW", show_default=False, autocompletion=completion.products,
        help="The one to compare it with.")],
    dz: Annotated[float, typer.Option(
        min=0, help="Redshifts differ when they are further apart, over 1 + z.")] = 0.0,
    output: Annotated[Path | None, typer.Option(
        help="Parquet file to write, with every galaxy that changed.", show_default=False,
        autocompletion=completion.files)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Say what changed from one compilation to another.

    Galaxies that came, went, merged, were split or are called otherwise, and redshifts that
    changed. Measurements are told apart by row_id, which a new release of a survey changes.
    """
    from pz_tsm_core.quality.diff import compilation_of
    from pz_tsm_core.quality.diff import diff as compare

    at = opened(store, principal, right)
    versions = at.products.get(old), at.products.get(new)
    with _written(output) as keep:
        told = compare(at, *map(compilation_of, versions), dz=dz, keep=keep)
    if as_json:
        named = {"old": str(versions[0]), "new": str(versions[1])}
        typer.echo(json.dumps({**named, **dataclasses.asdict(told)}))
        return
    typer.echo(f"{versions[0]} to {versions[1]}: {told.old_galaxies:,} galaxies to "
               f"{told.new_galaxies:,}")
    _print(told)
    if output:
        typer.echo(f"every galaxy that changed: {output}")


def _print(told: Diff) -> None:
    for name, words in _COUNTS.items():
        typer.echo(f"{words:<24}{getattr(told, name):>14,}")
    typer.echo()
    print_table(("measurements of", "old", "new", "change"), [
        (survey, f"{old:,}", f"{new:,}", f"{new - old:+,}" if new != old else "")
        for survey, (old, new) in told.surveys.items()], right=("old", "new", "change"))


@contextmanager
def _written(path: Path | None) -> Iterator[Callable[[Any], object] | None]:
    """Lend what takes tables for a file, which is there in the end, whole, or not at all."""
    if path is None:
        yield None
        return
    import pyarrow.parquet as pq

    from pz_tsm_core.quality.changes import CHANGES
    from pz_tsm_core.store import PARQUET

    if os.path.lexists(path):
        raise _taken(path)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}-") as aside:
            with pq.ParquetWriter(aside.name, CHANGES, **PARQUET) as writer:
                yield writer.write_table
            os.chmod(aside.name, 0o644)  # noqa: PTH101
            os.link(aside.name, path)  # fails where something stands
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise refuse(Code.OUTPUT_WRITE, str(path), found=error.strerror or str(error),
                     expected="a folder that can be written to",
                     remedy="make room or the folder, or name another file") from None


def _taken(path: Path) -> TsmError:
    return refuse(Code.OUTPUT_EXISTS, str(path), found="something of that name",
                  expected="a name that is free", remedy="remove it, or name another file")
