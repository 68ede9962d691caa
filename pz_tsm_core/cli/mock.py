"""`tsm mock`: a sky to try everything on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from pz_tsm_core.cli.app import app, called
from pz_tsm_core.cli.help import shown


@app.command(**shown("mock"))
def mock(
    directory: Annotated[Path, typer.Argument(help="Folder to make, or one made so before.")],
    objects: Annotated[int, typer.Option(min=1000, help="Objects of the LSST catalogue.")] = 60_000,
    redshifts: Annotated[int, typer.Option(min=100, help="Measured redshifts.")] = 6_000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal skies.")] = 20_261_120,
) -> None:
    """Make a mock sky and a recipe, to try everything on.

    Survey files in their native shapes, an LSST Object catalogue, dust maps, the truth of every
    row, and my_redshifts.csv, a table such as one has of one's own: see tsm new recipe.
    """
    from pz_tsm_core.mock import MockSky, make_mock, write_own_table

    spec = MockSky(n_objects=objects, n_redshifts=redshifts, seed=seed)
    with _progress() as told:
        paths = make_mock(directory, spec, progress=told)
    write_own_table(paths)
    recipe = directory / "recipe.yaml"
    if not recipe.exists():  # an edited recipe stays as it is
        recipe.write_text(files("pz_tsm_core.mock").joinpath("recipe.yaml").read_text("utf-8"))
    typer.echo(f"mock sky: {objects} objects and {redshifts} redshifts in {directory}")
    typer.echo(f"next: {called()} run {recipe} --store {directory / 'store'}")
    typer.echo(f"or, from a table of your own: {called()} new recipe "
               f"{directory / 'my_redshifts.csv'} --catalog {paths.objects}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, nothing otherwise; to be told what is made, how much, of how much."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield told
