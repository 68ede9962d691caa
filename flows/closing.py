"""The last words of a run: what was made, how to open it, and the next thing to try."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pz_tsm_core.cli import called
from pz_tsm_core.export.deliver import RECORD
from pz_tsm_core.model.artifact import Manifest
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord
from tasks.handover import PAGE


def closing(recipe: Recipe, product: ProductVersion, arguments: str) -> str:
    """Text for a person after a run that ended well, from the record that the run left.

    Parameters
    ----------
    product : the name under which the result stands in the store
    arguments : what stood behind `tsm run`, so that the next command can be copied
    """
    folder = Path(recipe.output.directory)
    record = RunRecord.model_validate_json((folder / RECORD).read_bytes())
    manifests = {stage.label: stage.manifest for stage in record.stages}
    words = _training_set if "split" in manifests else _compilation
    return "\n".join([
        "", *_balance(manifests), "", *_files(record, folder),
        f"product    {product}, for recipes: redshifts: {{compilation: {product}}}",
        *words(manifests, arguments),
    ])


def _balance(manifests: dict[str, Manifest]) -> Iterator[str]:
    """Where the rows went, from the files to the result."""
    for label, manifest in manifests.items():
        if manifest.rows and manifest.rows.dropped:
            reasons = ", ".join(f"{count:,} {reason}"
                                for reason, count in manifest.rows.dropped.items())
            yield f"  {label:<24}{manifest.rows.taken:>10,} -> {manifest.rows.given:,}  ({reasons})"


def _files(record: RunRecord, folder: Path) -> Iterator[str]:
    """The page to look at, what else was delivered, and how to open the first table."""
    names = list(dict.fromkeys(PurePosixPath(file.path).parts[0] for file in record.files))
    yield f"look at    {folder / PAGE}"
    for name in names:
        if name != PAGE:
            yield f"made       {folder / name}"
    yield f"record     {folder / RECORD}"
    tables = [name for name in names if name.endswith(".parquet")]
    if tables:
        yield f"open it    in Python: pandas.read_parquet('{folder / tables[0]}')"


def _training_set(manifests: dict[str, Manifest], arguments: str) -> Iterator[str]:
    counts = manifests["split"].counts["split"].items()
    yield "parts      " + ", ".join(f"{count:,} {part}" for part, count in counts)
    yield "try next   change split.fractions in the recipe, and ask what that would redo:"
    yield f"           {called()} plan {arguments}"


def _compilation(_manifests: dict[str, Manifest], arguments: str) -> Iterator[str]:
    yield "try next   add a catalog to the recipe, and make a training set:"
    yield f"           {called()} run {arguments}"
