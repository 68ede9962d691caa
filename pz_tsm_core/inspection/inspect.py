"""What something is, by its name: a file, a folder, a product or an artifact of a store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.inspection.summary import TableSummary, chosen, summarised
from pz_tsm_core.inspection.tables import summary_of
from pz_tsm_core.model.artifact import Manifest
from pz_tsm_core.model.product import ProductVersion, is_ref
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.sky.catalog import is_hats
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import load_survey
from pz_tsm_core.tables import describe

_ADDRESS = re.compile(r"[0-9a-f]{64}")
#: Rows of a table of the store whose values are looked at.
_LOOKED_AT = 131_072


@dataclass(frozen=True)
class Inspection:
    """What something is, and its tables.

    Parameters
    ----------
    name : as it was asked for
    kind : file of a format, HATS catalogue, product, artifact, recipe or survey definition
    facts : what there is to say beside its tables, plain enough for JSON
    """

    name: str
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    tables: tuple[TableSummary, ...] = ()


@dataclass(frozen=True)
class Wish:
    """How much somebody wants to see.

    Parameters
    ----------
    first : rows
    columns : by name; None for all
    """

    first: int = 5
    columns: tuple[str, ...] | None = None


def inspect(what: str, store: Callable[[], Store], wish: Wish) -> Inspection:
    """Look at what a word names: a file or HATS folder, else an address, else a product.

    Parameters
    ----------
    store : opens the store, as the principal who asks; called only when it is needed

    Raises
    ------
    TsmError
        `file.missing` for what is nothing of these, `product.unknown`, `store.missing`; as
        `read_table`, `load_recipe` and `load_survey`. What the principal may not see is missing.
    """
    path = expanded(what)
    if path.is_file() or is_hats(path):
        return _document(path) if path.suffix in (".yaml", ".yml") else _table(path, wish)
    if _ADDRESS.fullmatch(what):
        return _artifact(what, store(), wish)
    try:
        is_ref(what)
    except ValueError:
        raise refuse(
            Code.FILE_MISSING, what, found="no file and no HATS folder of that name",
            expected="a path, a product such as NAME or NAME@2, or an address of 64 digits",
            remedy="correct the path; it counts from the current directory",
        ) from None
    return _product(store().products.get(what), store(), wish)


def _table(path: Path, wish: Wish) -> Inspection:
    facts = describe(path)
    table = summary_of(path, facts, first=wish.first, columns=wish.columns)
    size = sum(one.stat().st_size for one in _files(path))
    kind = "HATS catalogue" if facts.format == "hats" else f"{facts.format} file"
    return Inspection(str(path), kind, {"bytes": size, "rows": facts.rows}, (table,))


def _files(path: Path) -> Iterator[Path]:
    yield from (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else (path,)


def _document(path: Path) -> Inspection:
    """A recipe, or the definition of a survey: what it says, checked."""
    if "redshifts" in read_document(path).content:
        recipe = load_recipe(path)
        return Inspection(str(path), "recipe", {"inputs": _inputs(recipe), **_said(recipe)})
    survey = load_survey(path)
    facts = survey.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    facts["native columns"] = sorted(survey.native_columns)
    return Inspection(str(path), "survey definition", facts)


def _said(recipe: Recipe) -> dict[str, Any]:
    said: dict[str, Any] = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    return said


def _inputs(recipe: Recipe) -> dict[str, str]:
    """The tables that a recipe reads, by name, with where they are."""
    entries = {entry.survey or entry.definition or "": entry for entry in recipe.redshifts.surveys}
    tables = {entry.name: entry for entry in recipe.redshifts.tables}
    return {name: str(entry.file or entry.product) for name, entry in {**entries, **tables}.items()}


def _product(version: ProductVersion, store: Store, wish: Wish) -> Inspection:
    holders = (store.manifest(ref) for ref in (version.ref, *version.artifacts.values()))
    manifest = next((one for one in holders if version.table in one.tables),
                    store.manifest(version.ref))  # the result may be files of another format
    seen = _of_manifest(str(version), manifest, store, wish)
    rests_on = {label: f"{ref.stage} {ref.address}" for label, ref in version.artifacts.items()}
    facts = {"product": version.kind, "result": version.result, "rests on": rests_on}
    return Inspection(str(version), "product", {**facts, **seen.facts}, seen.tables)


def _artifact(address: str, store: Store, wish: Wish) -> Inspection:
    """An artifact; one of somebody else is missing as one that never was."""
    manifest = store.look_up(address)
    if manifest is None:
        raise refuse(Code.STORE_MISSING, address, found=f"no such artifact in {store.location}",
                     expected="an address that a run printed, or that a manifest names",
                     remedy="look for it in the manifest.json beside a result")
    return _of_manifest(address, manifest, store, wish)


def _of_manifest(name: str, manifest: Manifest, store: Store, wish: Wish) -> Inspection:
    facts: dict[str, Any] = {
        "stage": manifest.request.stage, "address": manifest.address, "content": manifest.content,
        "access": str(manifest.access), "created": manifest.created,
        "bytes": sum(file.size for file in manifest.files),
        "inputs": manifest.request.inputs, "policy": manifest.request.policy,
        "rows": manifest.rows.model_dump(mode="json") if manifest.rows else None,
        "counts": manifest.counts, "files": {file.path: file.size for file in manifest.files},
        "software": manifest.software,
    }
    told = {key: value for key, value in facts.items() if value not in (None, {}, "")}
    return Inspection(name, "artifact", told, tuple(_tables(manifest, store, wish)))


def _tables(manifest: Manifest, store: Store, wish: Wish) -> Iterator[TableSummary]:
    """Every table of an artifact; of named columns, those tables that have them."""
    schemas = {name: store.schema(manifest.ref, name) for name in sorted(manifest.tables)}
    if wish.columns:  # told once, not for each table
        chosen(sorted({name for schema in schemas.values() for name in schema.names}),
               wish.columns, manifest.address)
    for name, schema in schemas.items():
        names = [column for column in schema.names
                 if wish.columns is None or column in wish.columns]
        if names:
            batches = islice(store.batches(manifest.ref, name, names, _LOOKED_AT), 1)
            fields = pa.schema([schema.field(column) for column in names])
            seen = pa.Table.from_batches(batches, fields)
            yield summarised(name, manifest.table_rows[name], seen, first=wish.first)
