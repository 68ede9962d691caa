"""What `--help` teaches: where a command stands, and examples that run.

The examples stand in this table, in the order in which somebody new would type them; a test types
them in that order, in a folder with nothing but files of existing pipelines: a
`flags_translation.yaml`, a `config.yaml` with its catalogues, and a `match.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from typer.core import TyperGroup


class Panel(StrEnum):
    """Headings of `tsm --help`, in their order."""

    START = "Start here"
    RUN = "Run"
    LOOK = "Look"
    STORE = "The store"
    SERVICE = "A service"


@dataclass(frozen=True)
class Shown:
    """Where a command stands in the help, and how it is used.

    Parameters
    ----------
    online : examples that ask services of others, and which no test types
    """

    panel: Panel
    examples: tuple[str, ...] = ()
    online: tuple[str, ...] = ()


COMMANDS = {
    "mock": Shown(Panel.START, (
        "tsm mock sky",
        "tsm mock small_sky --objects 2000 --redshifts 300",
    )),
    "new": Shown(Panel.START, ()),
    "new recipe": Shown(Panel.START, (
        "tsm new recipe sky/my_redshifts.csv --output mine.yaml",
        "tsm new recipe sky/my_redshifts.csv --catalog sky/object_collection",
        "tsm new recipe sky/surveys/vandels.parquet --own --output other.yaml",
    )),
    "run": Shown(Panel.RUN, ("tsm run sky/recipe.yaml",)),
    "plan": Shown(Panel.RUN, ("tsm plan sky/recipe.yaml",)),
    "combine": Shown(Panel.RUN, (
        "tsm combine config.yaml",
        "tsm combine config.yaml --base-dir process007 --json",
    )),
    "match": Shown(Panel.RUN, (
        "tsm match match.yaml",
        "tsm match match.yaml process008 --json",
    )),
    "inspect": Shown(Panel.LOOK, (
        "tsm inspect sky/my_redshifts.csv",
        "tsm inspect sky/object_collection --rows 3 --columns objectId,coord_ra",
        "tsm inspect mine.yaml",
        "tsm inspect mock_training_set",
        "tsm inspect mock_training_set@1 --json",
    )),
    "surveys": Shown(Panel.LOOK, ()),
    "surveys list": Shown(Panel.LOOK, ("tsm surveys list", "tsm surveys --json")),
    "surveys search": Shown(Panel.LOOK, (
        "tsm surveys search desi",
        "tsm surveys search --at '150.1 2.2' --z 0.5:1.2 --type s",
        "tsm surveys search vlt --at '03:32:28 -27:48:30' --radius 0.5",
    )),
    "surveys show": Shown(Panel.LOOK, (
        "tsm surveys show vandels",
        "tsm surveys show desi_dr1 --bibtex",
    )),
    "surveys check": Shown(Panel.LOOK, (
        "tsm surveys check my_vandels.survey.yaml",
        "tsm surveys check my_vandels.survey.yaml --sample sky/surveys/vandels.parquet",
        "tsm surveys check flags_translation.yaml",
        "tsm surveys check --sources",
    )),
    "surveys explain": Shown(Panel.LOOK, (
        "tsm surveys explain vandels sky/surveys/vandels.parquet",
        "tsm surveys explain my_vandels.survey.yaml sky/surveys/vandels.parquet --json",
    )),
    "releases": Shown(Panel.LOOK, (
        "tsm releases",
        "tsm releases dp1 --catalog sky/object_collection",
    )),
    "fetch": Shown(Panel.STORE, online=(
        "tsm fetch vandels gama_dr4",
        "tsm fetch desi_dr1 --region ecdfs --rows 1000",
        "tsm fetch vandels --region 'cone 53.16 -27.8 0.3' --policy always",
    )),
    "dustmaps": Shown(Panel.STORE, ()),
    "dustmaps list": Shown(Panel.STORE, (
        "tsm dustmaps list",
        "tsm dustmaps list --directory sky/dust",
        "tsm dustmaps --json",
    )),
    "dustmaps fetch": Shown(Panel.STORE, online=(
        "tsm dustmaps fetch sfd",
        "tsm dustmaps fetch csfd gnilc --directory maps",
    )),
    "put": Shown(Panel.STORE, (
        "tsm put sky/my_redshifts.csv",
        "tsm put sky/my_redshifts.csv --name mine --private",
    )),
    "products": Shown(Panel.STORE, ()),
    "products list": Shown(Panel.STORE, ("tsm products list", "tsm products list --json")),
    "products show": Shown(Panel.STORE, ("tsm products show my_redshifts",)),
    "products verify": Shown(Panel.STORE, ("tsm products verify mine@1",)),
    "products withdraw": Shown(Panel.STORE, ("tsm products withdraw mine@1",)),
    "promote": Shown(Panel.STORE, (
        "tsm promote mock_training_set@1",
        "tsm promote mock_training_set@1 --json",
    )),
    "diff": Shown(Panel.STORE, (
        "tsm diff mock_training_set@1 mock_training_set",
        "tsm diff mock_training_set@1 mock_training_set --output changed.parquet",
    )),
    "products gc": Shown(Panel.STORE, ("tsm products gc --dry-run", "tsm products gc")),
    "deploy": Shown(Panel.SERVICE, online=("tsm deploy /etc/pz-tsm/site.yaml",)),
}

#: Below `tsm --help`.
FIRST_STEPS = """\
First steps, from a mock sky and a table of yours to a training set:
  $ tsm mock sky
  $ tsm new recipe sky/my_redshifts.csv --catalog sky/object_collection
  $ tsm run recipe.yaml

Every command has examples: tsm run --help
The Tab key completes names after: tsm --install-completion"""


class Ordered(TyperGroup):
    """A group that lists its commands in the order of the table; others come last, by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands."""
        order = {name: place for place, name in enumerate(COMMANDS)}
        return sorted(super().list_commands(ctx), key=lambda name: (order.get(name, 1000), name))


def shown(command: str) -> dict[str, Any]:
    """What typer is told of a command beside its function."""
    told = COMMANDS.get(command, Shown(Panel.STORE, ()))
    lines = ["Examples:", *(f"  $ {example}" for example in (*told.examples, *told.online))]
    return {"rich_help_panel": told.panel.value,
            "epilog": "\n".join(lines) if len(lines) > 1 else None}
