"""Files of a run into the folder that the user named: whole files, the record last."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import FileEntry
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord, StageRecord

RECORD = "manifest.json"
_HOST = socket.gethostname()
_IN_THE_WAY = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR, errno.ENOTDIR})
_SOFTWARE = ("pz-tsm", "lsdb", "hats", "dask", "astropy", "dustmaps", "numpy", "pyarrow", "scipy")


def deliver(
    recipe: Recipe,
    stages: tuple[StageRecord, ...],
    sources: Mapping[str, Path],
    files: tuple[FileEntry, ...],
) -> RunRecord:
    """Copy files and folders into the recipe's output folder, and write the record of the run.

    Each arrives under its final name when it is whole, and the record after all of them. Files
    of the run before, which that run's record names and this run did not make, are removed.

    Parameters
    ----------
    sources : file or folder in the store by its name in the output folder
    files : every file below these names, as the store knows it

    Raises
    ------
    TsmError
        `output.write` when the folder cannot be written to.
    """
    target = Path(recipe.output.directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        before = _delivered_before(target)
        for name, source in sources.items():
            _replace(target / name, partial(_copy, source))
        record = _record(recipe, stages, files)
        text = record.model_dump_json(by_alias=True, indent=2)
        _replace(target / RECORD, lambda file: file.write_text(f"{text}\n", "utf-8"))
        for name in before - {file.path for file in files}:
            with suppress(FileNotFoundError, NotADirectoryError):
                (target / name).unlink()
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
    """Write beside the target, then take its place."""
    owner = f"{_HOST}-{os.getpid()}-{threading.get_ident()}"
    aside = target.with_name(f".{target.name}.{owner}.partial")
    try:
        write(aside)
        _take_place(aside, target)
    finally:
        _remove(aside)


def _take_place(aside: Path, target: Path) -> None:
    """Rename over the target; a folder in the way is moved off first, by whoever comes first."""
    while True:
        try:
            aside.replace(target)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            former = aside.with_suffix(".former")
            with suppress(FileNotFoundError):  # another run of the recipe moved it off
                target.rename(former)
            _remove(former)
        else:
            return


def _sweep(target: Path) -> None:
    """Remove what processes of this machine left that died while they delivered."""
    for path in target.glob(f".*.{_HOST}-*-*.*"):
        pid = int(path.name.rsplit("-", 2)[1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            _remove(path)
        except PermissionError:
            continue  # alive, and somebody else's


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy content but not the store's read-only modes."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)
