"""The `tsm` command; commands of the application come from the entry points `pz_tsm.commands`."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points, version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from pz_tsm_core.errors import Code, TsmError, refuse

app = typer.Typer(
    name="tsm",
    help="Make training sets for photometric redshifts, and say why every row is there.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(
    epilog="Example: `tsm mock sky --objects 100000` makes a sky, then `tsm run sky/recipe.yaml`."
)
def mock(
    directory: Annotated[Path, typer.Argument(help="Folder to make, or one made so before.")],
    objects: Annotated[int, typer.Option(min=1000, help="Objects of the LSST catalogue.")] = 60_000,
    redshifts: Annotated[int, typer.Option(min=100, help="Measured redshifts.")] = 6_000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal skies.")] = 20_261_120,
) -> None:
    """Make a mock sky: survey files, an Object catalogue, dust maps, the truth, and a recipe."""
    from pz_tsm_core.mock import MockSky, make_mock

    spec = MockSky(n_objects=objects, n_redshifts=redshifts, seed=seed)
    with _progress() as told:
        make_mock(directory, spec, progress=told)
    recipe = directory / "recipe.yaml"
    if not recipe.exists():  # an edited recipe stays as it is
        recipe.write_text(files("pz_tsm_core.mock").joinpath("recipe.yaml").read_text("utf-8"))
    typer.echo(f"mock sky: {objects} objects and {redshifts} redshifts in {directory}")
    typer.echo(f"next: {called()} run {recipe} --store {directory / 'store'}")


@app.command()
def surveys() -> None:
    """List the surveys that recipes can name."""
    from pz_tsm_core.surveys import registry

    for survey in registry().values():
        typer.echo(f"{survey.key:<16}{survey.name} ({survey.facility}, {survey.year})")


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


def main() -> None:
    """Run the command line; mistakes go to standard error, and the exit status is not 0."""
    for entry in sorted(entry_points(group="pz_tsm.commands"), key=lambda entry: entry.name):
        _add(entry)
    _show_warnings()
    told_plainly(app)


def _show_warnings() -> None:
    """Warnings of the library, such as an artifact set aside, as plain lines on standard error."""
    log = logging.getLogger("pz_tsm_core")
    log.addHandler(logging.StreamHandler())
    log.propagate = False  # Prefect's handlers would say the same again


def told_plainly(command: Callable[[], Any]) -> None:
    """Run a command; tell what went wrong on standard error, without a traceback, and end with 1.

    What no refusal foresaw is told in one line too; its traceback goes to a file for those who
    mend it.
    """
    try:
        command()
    except TsmError as error:
        told = error
    except OSError as error:
        told = refuse(Code.STORE_IO, str(error.filename or "a file"),
                      found=error.strerror or str(error), expected="a place to read and write",
                      remedy="make room, or give permission, and run the same command again")
    except Exception as error:  # noqa: BLE001 - the outermost edge
        told = _internal(error)
    else:
        return
    sys.stderr.write(f"{told}\n")
    sys.exit(1)


def _internal(error: Exception) -> TsmError:
    with tempfile.NamedTemporaryFile("w", prefix="pz-tsm-", suffix=".log", delete=False) as log:
        traceback.print_exception(error, file=log)
    return refuse(Code.INTERNAL, type(error).__name__, found=str(error).strip().split("\n")[0],
                  expected="no such thing: this is a mistake of ours",
                  remedy=f"run the same command again; if it stays, report it with {log.name}")


def _add(entry: EntryPoint) -> None:
    """Add the command of an entry point, or one that says what is missing to run it."""
    try:
        app.command(name=entry.name)(entry.load())
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("flows", "tasks", "prefect"):
            raise
        # Whatever stands behind it on the line: the answer is the same.
        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        app.command(name=entry.name, context_settings=anything)(_absent(entry.name))


def _absent(name: str) -> Callable[[], None]:
    def command() -> None:
        raise refuse(
            Code.APPLICATION_MISSING, f"tsm {name}", found="the library alone",
            expected="the application: flows and tasks, and Prefect",
            remedy=f"run it from a checkout of pz-tsm {version('pz-tsm')} (see its README)",
        )

    command.__doc__ = "Needs the application: run it from a checkout of pz-tsm."
    return command
