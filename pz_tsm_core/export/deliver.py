"""Files of a run into the folder that the user named: whole files, the record last."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from pz_tsm_core.errors import Code, Problems, refuse
from pz_tsm_core.files import digest_file
from pz_tsm_core.model.artifact import FileEntry
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord, StageRecord

#: Writes a file or folder to a path where nothing is.
Write: TypeAlias = Callable[[Path], object]

RECORD = "manifest.json"
#: The record as it is to be, while files are replaced: a run that dies leaves it to the next one.
NOTE = f".{RECORD}.pz-tsm-note"
#: No name that a person would give: what bears it may be swept.
_PARTIAL = ".pz-tsm-partial"
_SOFTWARE = ("pz-tsm", "lsdb", "hats", "dask", "astropy", "dustmaps", "numpy", "pyarrow", "scipy",
             "matplotlib")


def deliver(
    recipe: Recipe,
    stages: tuple[StageRecord, ...],
    sources: Mapping[str, Write],
    files: tuple[FileEntry, ...],
    citations: tuple[Cited, ...] = (),
) -> RunRecord:
    """Copy files and folders into the recipe's output folder, and write the record of the run.

    Each arrives under its final name when it is whole, and the record after all of them. Files
    of the run before, which that run's record names and this run did not make, are removed; also
    those of a run that died while it delivered, by the note that it left. What no run delivered
    is never touched.

    Parameters
    ----------
    sources : by its name in the output folder, what writes a file or folder to a path
    files : every file below these names, as the store knows it
    citations : whom to cite for the result, for the record

    Raises
    ------
    TsmError
        `output.write` when the folder cannot be written to, `output.exists` for every name that
        is taken by something else.
    """
    target = Path(recipe.output.directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _alone_in(target):
            return _deliver(target, _record(recipe, stages, files, citations), sources)
    except OSError as error:
        raise refuse(
            Code.OUTPUT_WRITE, str(target), found=error.strerror or str(error),
            expected="a folder with room that can be written to",
            remedy="make room or set output.directory; nothing is lost, run again",
        ) from error


def _deliver(target: Path, record: RunRecord, sources: Mapping[str, Write]) -> RunRecord:
    _sweep(target)
    former = _former(target, record)
    known, now = _known(former), _known(record.files)
    _refuse_strangers(target, tuple(sources), known | now)
    # From now on more may stand here than the record tells. Also what a former note told: whoever
    # left it may have had time to replace some files.
    ours = tuple(dict.fromkeys((*former, *record.files)))
    _write_record(target / NOTE, record.model_copy(update={"files": ours}))
    for name, write in sources.items():
        _replace(target / name, write)
    _write_record(target / RECORD, record)
    for name, sha256 in known - now:
        _remove_former(target / name, sha256)
    (target / NOTE).unlink(missing_ok=True)  # last: what is still to be removed is known by it
    return record


def _record(
    recipe: Recipe, stages: tuple[StageRecord, ...], files: tuple[FileEntry, ...],
    citations: tuple[Cited, ...],
) -> RunRecord:
    return RunRecord(
        recipe=recipe.model_dump(mode="json", by_alias=True),
        stages=stages,
        files=files,
        citations=citations,
        software={name: version(name) for name in _SOFTWARE},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _known(files: tuple[FileEntry, ...]) -> set[tuple[str, str]]:
    return {(file.path, file.sha256) for file in files}


def _write_record(file: Path, record: RunRecord) -> None:
    text = record.model_dump_json(by_alias=True, indent=2)
    _replace(file, lambda aside: aside.write_text(f"{text}\n", "utf-8"))


def _former(target: Path, record: RunRecord) -> tuple[FileEntry, ...]:
    """Files that runs of this recipe delivered here, or may have before they died."""
    before, noted = _record_at(target / RECORD), _record_at(target / NOTE)
    if (target / RECORD).exists():
        _refuse_others(target / RECORD, before, record)
    if noted:  # a damaged one tells nothing, and what it told is a stranger's
        _refuse_others(target / NOTE, noted, record)
    return tuple(file for each in (before, noted) if each for file in each.files)


def _record_at(file: Path) -> RunRecord | None:
    """The record of a run that delivered, or began to; None when there is none."""
    try:
        return RunRecord.model_validate_json(file.read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValidationError):
        return None


def _refuse_others(file: Path, before: RunRecord | None, record: RunRecord) -> None:
    """Refuse a folder where another recipe delivers, or whose manifest.json is none of ours."""
    name = before.recipe.get("name") if before else None
    if name != record.recipe["name"]:
        found = f"the record of recipe `{name}`" if name else "something that no run left here"
        raise refuse(Code.OUTPUT_EXISTS, str(file), found=found,
                     expected=f"nothing, or the record of `{record.recipe['name']}`",
                     remedy="name another output.directory, or move this one away")


def _refuse_strangers(
    target: Path, names: tuple[str, ...], known: set[tuple[str, str]]
) -> None:
    """Refuse to replace what no run delivered: it is the user's own."""
    problems = Problems()
    for name in names:
        path = target / name
        ours = all(
            (file.relative_to(target).as_posix(), digest_file(file)) in known
            for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()
        )
        if path.exists() and not ours:
            problems.add(Code.OUTPUT_EXISTS, str(path), found="something that no run left here",
                         expected="a place for the files of this run",
                         remedy="move it away, or name another output.directory")
    problems.raise_if_any()


def _remove_former(path: Path, sha256: str) -> None:
    """Remove a file of the run before, unless somebody has changed it since."""
    if path.is_file() and not path.is_symlink() and digest_file(path) == sha256:
        path.unlink()


@contextmanager
def _alone_in(target: Path) -> Iterator[None]:
    """Let one run at a time deliver: a lock on the folder, which dies with its owner."""
    folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks serves one run at a time anyway
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(target: Path, write: Write) -> None:
    """Write beside the target, then take its place."""
    aside = target.with_name(f".{target.name}{_PARTIAL}")
    try:
        write(aside)
        if target.is_dir() or aside.is_dir():  # a rename lets only a file replace a file
            _remove(target)
        aside.replace(target)
    finally:
        _remove(aside)


def _sweep(target: Path) -> None:
    """Remove what a run left that died while it delivered; nobody else delivers now."""
    for path in target.glob(f".*{_PARTIAL}"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
