"""`tsm products` and `tsm put`: named versions of results, and room for new ones."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.changes import tell_changed
from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import PrincipalOption, RightOption, StoreOption, located, opened
from pz_tsm_core.cli.promote import judged, promotion, state
from pz_tsm_core.cli.table import print_table
from pz_tsm_core.errors import Code, printable, refuse

if TYPE_CHECKING:
    from pz_tsm_core.model.product import ProductVersion
    from pz_tsm_core.store import Collected, Store
    from pz_tsm_core.store.collect import Total

#: Removed artifacts that are told one by one, the largest first; `--json` tells all.
TOLD = 20

Ref = Annotated[str, typer.Argument(
    metavar="REF", help="NAME, NAME@latest or NAME@7.", show_default=False,
    autocompletion=completion.products)]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]

products = typer.Typer(no_args_is_help=True)
app.add_typer(products, name="products", help="List, show, verify and collect named results.",
              rich_help_panel=shown("products")["rich_help_panel"])


@app.command(**shown("put"))
def put(  # noqa: PLR0917 - typer calls it by keywords
    file: Annotated[Path, typer.Argument(
        help="A table of redshifts: a file of any format that is read, or a HATS folder.",
        show_default=False, autocompletion=completion.files)],
    name: Annotated[str | None, typer.Option(
        help="What recipes will call it. (default: made from the name of the file)")] = None,
    table: Annotated[str | None, typer.Option(
        help="Of a file that holds several: path of an HDF5 group or dataset, name of a VOTable "
             "TABLE or of a FITS extension. (default: the only or first one)")] = None,
    private: Annotated[bool, typer.Option(  # noqa: FBT002 - typer calls it so
        "--private", help="For your eyes only, and all that is made from it.")] = False,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Take a table of yours into the store, for recipes to name.

    The same table under the same name is the same version.
    """
    from pz_tsm_core import products as door
    from pz_tsm_core.model.artifact import PUBLIC, Access

    at = opened(store, principal, right)
    if private and not principal:
        raise refuse(Code.STORE_ACCESS, "tsm put --private", found="a principal without a name",
                     expected="the name of the owner", remedy="say --principal NAME")
    access = Access(kind="private", name=principal) if private else PUBLIC
    version = door.put(file, name, table=table, access=access, store=at)
    typer.echo(f"{version}: {_rows(_facts(at, version)['rows'])} rows, {version.access}")
    for line in (*_left_alone(at, version), *_use(at, version)):
        typer.echo(printable(line))


@products.command("list", **shown("products list"))
def list_(
    as_json: Json = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """List the products that you may see, the newest version first.

    A candidate waits until somebody promotes it: tsm promote.
    """
    at = opened(store, principal, right)
    versions = at.products.list()
    latest = {each.name: each.version for each in reversed(versions) if not each.waits}
    listed = [{**_facts(at, version), "state": state(version, latest.get(version.name))}
              for version in versions]
    if as_json:
        typer.echo(json.dumps(listed))
    elif not listed:
        typer.echo(f"no products in {at.location}; `tsm put FILE` or `tsm run RECIPE` makes one")
    else:
        print_table(("product", "kind", "rows", "access", "created", "state"), [
            (fact["product"], fact["kind"], _rows(fact["rows"]), fact["access"], fact["created"],
             fact["state"]) for fact in listed], right=("rows",))


@products.command(**shown("products show"))
def show(
    ref: Ref,
    as_json: Json = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Say what a product is, what it rests on, and how to use it."""
    from pz_tsm_core.model.product import latest_of

    at = opened(store, principal, right)
    version = at.products.get(ref)
    rests_on = list(_rests_on(at, version))
    newest = latest_of(at.products.versions(version.name))
    facts = {**_facts(at, version), "state": state(version, newest.version if newest else None)}
    if as_json:
        judgement = version.judgement.model_dump(mode="json") if version.judgement else None
        typer.echo(json.dumps({**facts, "promoted": promotion(version), "judgement": judgement,
                               "rests on": rests_on}))
        return
    for key, value in {**facts, "rows": _rows(facts["rows"])}.items():
        typer.echo(printable(f"{key:<10}{value}"))
    for line in (*judged(version), *_left_alone(at, version), *_use(at, version)):
        typer.echo(printable(line))
    typer.echo()
    print_table(("rests on", "address", "rows in", "rows out", "left out"), [
        (each["label"], each["address"][:12], _rows(each["taken"]), _rows(each["given"]),
         ", ".join(f"{count:,} {reason}" for reason, count in each["dropped"].items()))
        for each in rests_on], right=("rows in", "rows out"))


@products.command(**shown("products verify"))
def verify(
    ref: Ref,
    as_json: Json = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Compare every byte of a product with what was published.

    The exit status is 1 if any differs.
    """
    from rich.filesize import decimal

    at = opened(store, principal, right)
    version = at.products.get(ref)
    verified = at.verify(version)
    if as_json:
        typer.echo(json.dumps({"product": str(version), **dataclasses.asdict(verified)}))
    else:
        found = f"{len(verified.damages)} damaged" if verified.damages else "all as published"
        size = f"{_counted(verified.files, 'file')}, {decimal(verified.bytes)}"
        typer.echo(f"{version}: {size}: {found}")
        for damage in verified.damages:
            typer.echo(f"  {printable(damage)}")
    if verified.damages:
        raise typer.Exit(1)


@products.command(**shown("products withdraw"))
def withdraw(
    ref: Ref,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Hand a version out no more; its number is never used again."""
    from pz_tsm_core.model.product import latest_of

    at = opened(store, principal, right)
    version = at.products.withdraw(ref)
    versions = at.products.versions(version.name)
    newest = latest_of(versions)
    left = "no version of it is left" if all(each.withdrawn for each in versions) else (
        "candidates alone are left")
    now = f"{version.name}@latest is {newest} now" if newest else left
    tell_changed(at)
    typer.echo(f"{version} is withdrawn; {now}")


@app.command("gc", hidden=True)
@products.command(**shown("products gc"))
def gc(
    dry_run: Annotated[bool, typer.Option(  # noqa: FBT002
        "--dry-run", help="Only say what would be removed.")] = False,
    as_json: Json = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Delete what no product rests on and no running run uses."""
    at = opened(store, principal, right)
    collected = at.collect(dry_run=dry_run)
    tell_changed(at)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(collected)))
        return
    if collected.removed:
        _print_removed(collected)
    for line in _told(collected):
        typer.echo(line)


def _facts(store: Store, version: ProductVersion) -> dict[str, Any]:
    """A version in a few words; rows are None where its artifact is missing or damaged."""
    manifest = store.peek(version.ref)
    rows = manifest.table_rows.get(version.table) if manifest else None
    return {"product": str(version), "kind": version.kind, "rows": rows,
            "access": str(version.access), "created": version.created,
            **({"owner": version.owner} if version.owner else {}),
            "result": f"{version.ref.stage} {version.ref.address}"}


def _rests_on(store: Store, version: ProductVersion) -> Iterator[dict[str, Any]]:
    """Row balance of every artifact of a version, in the order of the work."""
    from pz_tsm_core.model.stages import STAGES

    order = {stage.name: place for place, stage in enumerate(STAGES)}
    for label, ref in sorted(version.artifacts.items(),
                             key=lambda item: (order.get(item[1].stage, len(order)), item[0])):
        manifest = store.peek(ref)
        rows = manifest.rows if manifest else None
        yield {"label": label, "address": ref.address, "whole": manifest is not None,
               "taken": rows.taken if rows else None, "given": rows.given if rows else None,
               "dropped": rows.dropped if rows else {}}


def _rows(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def _left_alone(store: Store, version: ProductVersion) -> list[str]:
    """What `put` could not use of a user's table."""
    from pz_tsm_core.model.product import LEFT_ALONE

    manifest = store.peek(version.ref)
    return list(manifest.notes.get(LEFT_ALONE, ())) if manifest else []


def _use(store: Store, version: ProductVersion) -> Iterator[str]:
    """How a recipe and a notebook name it."""
    in_recipe = {
        "table": f"redshifts: {{tables: [{{name: {version.name}, product: {version}, "
                 "columns: {ra: ..., dec: ..., z: ...}}]}",
        "compilation": f"redshifts: {{compilation: {version}}}",
    }
    if version.kind in in_recipe:
        yield f"{'recipe':<10}{in_recipe[version.kind]}"
    where = "" if store.location == located(None) else f", store={store.location!r}"
    yield f"{'Python':<10}pz_tsm_core.open_product({str(version)!r}{where})"


def _print_removed(collected: Collected) -> None:
    from rich.filesize import decimal

    largest = sorted(collected.removed, key=lambda each: -each.bytes)
    print_table(("stage", "address", "size", "age"), [
        (each.stage, each.address[:12], decimal(each.bytes), _age(each.created))
        for each in largest[:TOLD]], right=("size", "age"))
    if len(largest) > TOLD:
        typer.echo(f"... and {len(largest) - TOLD:,} smaller ones")


def _told(collected: Collected) -> Iterator[str]:
    from rich.filesize import decimal

    from pz_tsm_core.store.collect import Total

    yours = Total(len(collected.removed), sum(each.bytes for each in collected.removed))
    yield f"{'would remove' if collected.dry_run else 'removed':<14}{_sum(yours)}"
    if collected.others.artifacts:
        yield f"{'':<14}{_sum(collected.others)} of others, or damaged"
    yield f"{'kept':<14}{_sum(collected.for_products)} for products"
    if collected.for_runs.artifacts:
        yield f"{'':<14}{_sum(collected.for_runs)} for running runs"
    if collected.left_over_bytes:
        verb = "would sweep" if collected.dry_run else "swept"
        yield f"{verb:<14}{decimal(collected.left_over_bytes)} that killed runs left"
    if collected.set_aside.artifacts:
        yield f"{'set aside':<14}{_sum(collected.set_aside)}, damaged: look into .quarantine"


def _sum(total: Total) -> str:
    from rich.filesize import decimal

    return f"{_counted(total.artifacts, 'artifact')}, {decimal(total.bytes)}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _age(created: str) -> str:
    """Time since a moment in UTC, in the largest unit that fits."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for name, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {name}"
    return f"{max(0, int(seconds))} s"
