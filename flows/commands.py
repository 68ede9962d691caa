"""The commands that need the application: `tsm run` and `tsm plan`.

The `tsm` command loads them by the entry points of pyproject.toml. Imports stand inside the
functions: `tsm --help` must not wait for them, and `tsm plan` must not load Prefect, LSDB or Dask.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import closing as closed_after
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pz_tsm_core.changes import tell_changed
from pz_tsm_core.cli import completion
from pz_tsm_core.cli.options import (
    PrincipalOption,
    RightOption,
    StoreOption,
    located,
    policy_named,
)

if TYPE_CHECKING:
    from pz_tsm_core.model.artifact import ArtifactRef
    from pz_tsm_core.model.product import ProductVersion
    from pz_tsm_core.model.recipe import Recipe
    from tasks.stage import StoreAt

RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.", show_default=False,
                         autocompletion=completion.recipes)
]


def run(
    recipe: RecipeFile,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
    fetch: Annotated[str | None, typer.Option(
        help="When to ask the sources of surveys without a file: never, if-changed or always. "
        "(default: as the recipe says)", autocompletion=completion.policies)] = None,
) -> None:
    """Make what a recipe asks for; what is there already is kept."""
    from flows.closing import closing
    from flows.leaving import leave_on_interrupt
    from flows.local_run import run_here
    from flows.pins import pin
    from flows.preflight import require_services
    from flows.progress import view

    wanted, at = _fetching(_load(recipe), fetch), _at(store, principal, right)
    # Mistakes are told before anything is started.
    pin(wanted, at.open(), allow_unfetched=wanted.redshifts.fetch != "never")
    require_services(wanted.cluster)
    if sys.stdout.isatty():
        typer.echo("starting; a private Prefect server takes some seconds")
    with closed_after(view(typer.echo)) as shown, leave_on_interrupt(shown.close):
        given = run_here(wanted, at, shown.hear)
    tell_changed(at.open())
    product = version_of(given, at.open().products.versions(wanted.name))
    typer.echo(closing(wanted, product, _again(recipe, store, principal, right)))


def plan(
    recipe: RecipeFile,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Say what a run would make anew, and why; run nothing."""
    from flows.journal import Journal
    from flows.order import order_for
    from flows.pins import pin
    from flows.planning import Planner
    from flows.progress import told

    wanted, opened = _load(recipe), _at(store, principal, right).open()
    planner = Planner(opened, Journal(opened, wanted.name))
    order_for(wanted)(wanted, pin(wanted, opened, allow_unfetched=True), planner)
    for step in planner.steps:
        typer.echo(f"{step.state:<9}{step.label:<32}{step.why or told(step.rows)}".rstrip())


def version_of(given: ArtifactRef, versions: tuple[ProductVersion, ...]) -> ProductVersion:
    """The version of a product that hands out what a run gave.

    It need not be the latest: another run may have ended since, or somebody withdrawn it.
    """
    return next(version for version in versions if version.ref.content == given.content)


def _again(recipe: Path, store: str | None, principal: str, rights: list[str] | None) -> str:
    """The arguments that ask for the same again."""
    options = [*(["--store", store] if store else []),
               *(["--principal", principal] if principal != "local" else []),
               *(word for right in rights or () for word in ("--right", right))]
    return shlex.join([str(recipe), *options])


def _fetching(recipe: Recipe, policy: str | None) -> Recipe:
    """The recipe, with another word on when to ask the sources."""
    if policy is None:
        return recipe
    asked = {"fetch": policy_named(policy, "--fetch")}
    return recipe.model_copy(update={"redshifts": recipe.redshifts.model_copy(update=asked)})


def _load(path: Path) -> Recipe:
    from pz_tsm_core.recipes import load_recipe

    return load_recipe(path)


def _at(store: str | None, principal: str, rights: list[str] | None) -> StoreAt:
    from pz_tsm_core.model.artifact import Principal
    from tasks.stage import StoreAt

    who = Principal(name=principal, rights=frozenset(rights or ()))
    return StoreAt(location=located(store), principal=who)
