"""Files of a run into the folder that the user named: whole files, the record last."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import FileEntry
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord, StageRecord
from pz_tsm_core.store import file_entries

RECORD = "manifest.json"
_SOFTWARE = ("pz-tsm", "lsdb", "hats", "dask", "astropy", "dustmaps", "numpy", "pyarrow", "scipy")


def deliver(
    recipe: Recipe, stages: tuple[StageRecord, ...], sources: Mapping[str, Path]
) -> RunRecord:
    """Copy files and folders into the recipe's output folder, and write the record of the run.

    Each arrives under its final name when it is whole, and the record after all of them. Files
    of the run before, which that run's record names and this run did not make, are removed.

    Parameters
    ----------
    sources : file or folder in the store by its name in the output folder

    Raises
    ------
    TsmError
        `output.write` when the folder cannot be written to.
    """
    target = Path(recipe.output.directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
        before = _delivered_before(target)
        for name, source in sources.items():
            _replace(target / name, partial(_copy, source))
        files = tuple(entry for name in sources for entry in file_entries(target / name, target))
        record = _record(recipe, stages, files)
        text = record.model_dump_json(by_alias=True, indent=2)
        _replace(target / RECORD, lambda file: file.write_text(f"{text}\n", "utf-8"))
        for name in before - {file.path for file in files}:
            (target / name).unlink(missing_ok=True)
    except OSError as error:
        raise refuse(Code.OUTPUT_WRITE, str(target), found=error.strerror or str(error),
                     expected="a folder with room that can be written to",
                     remedy="make room or set output.directory; nothing is lost, run again") \
            from error
    return record


def _record(
    recipe: Recipe, stages: tuple[StageRecord, ...], files: tuple[FileEntry, ...]
) -> RunRecord:
    return RunRecord(
        recipe=recipe.model_dump(mode="json", by_alias=True),
        stages=stages,
        files=files,
        software={name: version(name) for name in _SOFTWARE},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _delivered_before(target: Path) -> set[str]:
    """Files that the record of an earlier run names; none when there is no readable record."""
    try:
        files = json.loads((target / RECORD).read_text("utf-8"))["files"]
        paths = {str(file["path"]) for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    root = target.resolve()
    # A record that somebody edited must not make us remove what lies elsewhere.
    return {path for path in paths if (root / path).resolve().is_relative_to(root)}


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    """Write beside the target, then take its place in one step (a folder: in two)."""
    aside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        write(aside)
        if target.is_dir():
            shutil.rmtree(target)
        aside.replace(target)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy content but not the store's read-only modes."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)
