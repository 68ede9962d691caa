"""`tsm dustmaps`: the maps of the Milky Way's dust, and where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.progress import progress
from pz_tsm_core.cli.surveys import Json, ListsUnasked
from pz_tsm_core.cli.table import print_table
from pz_tsm_core.errors import Problems, TsmError, printable

if TYPE_CHECKING:
    from pz_tsm_core.retrieval import FetchedMap

Directory = Annotated[Path | None, typer.Option(
    envvar="PZ_TSM_DUSTMAPS", autocompletion=completion.files,
    help="Folder of the maps. (default: in your data folder)")]

dustmaps = typer.Typer(cls=ListsUnasked)
app.add_typer(dustmaps, name="dustmaps", help="List and fetch maps of the Milky Way's dust.",
              rich_help_panel=shown("dustmaps")["rich_help_panel"])


@dustmaps.command("list", **shown("dustmaps list"))
def list_(directory: Directory = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the dust maps that recipes can name, and which are here.

    `tsm dustmaps` alone does it, too.
    """
    from pz_tsm_core.dust import default_directory, map_keys

    folder = Path(directory or default_directory())
    listed = [_facts(name, folder) for name in map_keys()]
    if as_json:
        typer.echo(json.dumps({"directory": str(folder), "maps": listed}))
        return
    print_table(("map", "here", "MB", "E(B-V)", "what it is", "cite"), [
        (fact["map"], fact["here"], str(fact["megabytes"]), _SCALES[fact["ebv_scale"]],
         fact["about"], fact["cite"][0]) for fact in listed], right=("MB",))
    typer.echo(printable(f"folder: {folder}"))


@dustmaps.command(**shown("dustmaps fetch"))
def fetch(
    names: Annotated[list[str], typer.Argument(
        metavar="NAME...", help="Of maps, as `tsm dustmaps` lists them.", show_default=False,
        autocompletion=completion.dust_maps)],
    directory: Directory = None,
    max_seconds: Annotated[float, typer.Option(
        help="For each map, waits and retries included.", min=1)] = 6 * 3600.0,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Bring dust maps to where recipes look for them.

    What is there is not brought again. A transfer that was cut is gone on with by the same command.
    """
    from pz_tsm_core.model.retrieval import FetchLimits
    from pz_tsm_core.remote import Reach
    from pz_tsm_core.retrieval import fetch_map

    problems, given = Problems(), []
    with progress(shown=not as_json) as hear:
        for name in dict.fromkeys(names):
            try:
                reach = Reach(FetchLimits(total_seconds=max_seconds), hear=hear)
                given.append(fetch_map(name, directory or "", reach=reach))
            except TsmError as error:
                problems.extend(error.problems)
                continue
            if not as_json:
                _tell(given[-1])
    if as_json:
        typer.echo(json.dumps([
            {"map": each.name, "state": each.state, "directory": str(each.directory),
             "recipe": each.recipe} for each in given]))
    problems.raise_if_any()


#: What E(B-V) of a map is, in a word.
_SCALES = {"sfd": "as SFD", "true": "true"}


def _tell(fetched: FetchedMap) -> None:
    typer.echo(printable(f"{fetched.state:<10}{fetched.name:<10}in {fetched.directory}"))
    typer.echo(printable(f"          for recipes: {fetched.recipe}"))


def _facts(name: str, folder: Path) -> dict[str, Any]:
    from pz_tsm_core.citations import cite
    from pz_tsm_core.dust import get_map, is_fits

    dust_map = get_map(name)
    there = sum(map(is_fits, dust_map.paths(folder)))
    return {
        "map": name, "name": dust_map.name, "about": dust_map.about,
        "ebv_scale": dust_map.ebv_scale, "megabytes": dust_map.megabytes,
        "here": _here(there, len(dust_map.files)), "files": [file.path for file in dust_map.files],
        "cite": [cite(bibcode) for bibcode in dust_map.citation],
        "acknowledge": dust_map.acknowledgement,
    }


def _here(there: int, files: int) -> str:
    if there in (0, files):
        return "yes" if there else "no"
    return f"{there} of {files}"
