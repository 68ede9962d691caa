"""Delivery: whole files, nothing of the run before left over, two runs at once."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.export.deliver import NOTE, RECORD, Write, deliver
from pz_tsm_core.model.artifact import FileEntry
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.run import RunRecord


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    return Recipe.model_validate({
        "name": "r", "schema": 1, "redshifts": {"surveys": [{"survey": "primus", "file": "x"}]},
        "output": {"directory": str(tmp_path / "out" / "deep")},
    })


def _sources(folder: Path, *names: str) -> tuple[dict[str, Write], tuple[FileEntry, ...]]:
    files = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        files.append(FileEntry(path=name, size=len(name), sha256=sha256))
    tops = {name.split("/")[0] for name in names}
    return {top: partial(_copy, folder / top) for top in tops}, tuple(files)


def _copy(source: Path, target: Path) -> None:
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)


def _found(recipe: Recipe) -> dict[str, str]:
    root = Path(recipe.output.directory)
    return {str(file.relative_to(root)): file.read_text() for file in root.rglob("*")
            if file.is_file() and file.name != RECORD}


def test_files_and_folders_arrive_with_the_record_of_the_run(recipe, tmp_path) -> None:
    deliver(recipe, (), *_sources(tmp_path / "a", "x.parquet", "hats/p/q.parquet"))
    assert _found(recipe) == {"x.parquet": "x.parquet", "hats/p/q.parquet": "hats/p/q.parquet"}
    record = RunRecord.model_validate_json(
        (Path(recipe.output.directory) / RECORD).read_text("utf-8"))
    assert {file.path for file in record.files} == set(_found(recipe))


def test_what_the_run_before_left_is_replaced_and_what_others_left_stays(recipe, tmp_path) -> None:
    deliver(recipe, (), *_sources(tmp_path / "a", "old.hdf5", "hats/p.parquet", "swap/x"))
    (Path(recipe.output.directory) / "notes.txt").write_text("mine")
    deliver(recipe, (), *_sources(tmp_path / "b", "new.hdf5", "hats/q.parquet", "swap"))
    assert set(_found(recipe)) == {"new.hdf5", "hats/q.parquet", "swap", "notes.txt"}


@pytest.mark.parametrize("mine", ["x", "hats/notes.txt", RECORD])
def test_what_no_run_delivered_is_neither_replaced_nor_removed(recipe, tmp_path, mine) -> None:
    precious = Path(recipe.output.directory) / mine
    precious.parent.mkdir(parents=True)
    precious.write_text('{"files": [{"path": "precious.csv"}]}')
    (Path(recipe.output.directory) / "precious.csv").write_text("1")
    with pytest.raises(TsmError) as refused:
        deliver(recipe, (), *_sources(tmp_path / "a", "x", "hats/p"))
    assert refused.value.codes == (Code.OUTPUT_EXISTS,)
    assert set(_found(recipe)) | {RECORD} == {"precious.csv", RECORD} | {mine}
    assert precious.read_text().startswith('{"files"')


def test_a_file_of_the_run_before_that_somebody_changed_stays(recipe, tmp_path) -> None:
    deliver(recipe, (), *_sources(tmp_path / "a", "old.csv", "same.csv"))
    (Path(recipe.output.directory) / "old.csv").write_text("edited")
    deliver(recipe, (), *_sources(tmp_path / "b", "same.csv"))
    assert _found(recipe) == {"old.csv": "edited", "same.csv": "same.csv"}


def test_a_delivery_killed_before_its_record_is_completed_by_the_next(recipe, tmp_path) -> None:
    given = _sources(tmp_path / "a", "x", "hats/p")
    deliver(recipe, (), *given)
    (Path(recipe.output.directory) / RECORD).unlink()
    deliver(recipe, (), *given)
    assert set(_found(recipe)) == {"x", "hats/p"}


@pytest.fixture
def broken_off(recipe, tmp_path) -> Path:
    """Folder with `x` of a delivery that ended before `y`."""
    def fails(_path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sources, files = _sources(tmp_path / "a", "x", "y")
    with pytest.raises(TsmError, match="No space left"):
        deliver(recipe, (), {"x": sources["x"], "y": fails}, files)
    return Path(recipe.output.directory)


def test_a_delivery_that_broke_off_leaves_a_note_by_which_the_next_replaces_and_removes(
    recipe, tmp_path, broken_off
) -> None:
    assert set(_found(recipe)) == {"x", NOTE}
    deliver(recipe, (), *_sources(tmp_path / "b", "z"))
    assert set(_found(recipe)) == {"z"}


def test_the_note_of_another_recipe_is_refused_as_its_record_is(
    recipe, tmp_path, broken_off
) -> None:
    before = _found(recipe)
    with pytest.raises(TsmError, match="the record of recipe `r`"):
        deliver(recipe.model_copy(update={"name": "other"}), (), *_sources(tmp_path / "b", "z"))
    assert _found(recipe) == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[]", b'{"schema": 1}', "outside"])
def test_by_a_damaged_note_nothing_is_replaced_or_removed_and_nobody_is_kept_out(
    recipe, tmp_path, broken_off, content
) -> None:
    note = broken_off / NOTE
    if content == "outside":
        content = note.read_bytes().replace(b'"path": "x"', b'"path": "../x"')
    note.write_bytes(content)
    with pytest.raises(TsmError) as refused:
        deliver(recipe, (), *_sources(tmp_path / "b", "x/y"))
    assert refused.value.codes == (Code.OUTPUT_EXISTS,)
    deliver(recipe.model_copy(update={"name": "other"}), (), *_sources(tmp_path / "c", "z"))
    assert _found(recipe) == {"x": "x", "z": "z"}


def test_a_folder_takes_the_place_of_a_file_of_the_run_before(recipe, tmp_path) -> None:
    deliver(recipe, (), *_sources(tmp_path / "a", "swap"))
    deliver(recipe, (), *_sources(tmp_path / "b", "swap/x"))
    assert set(_found(recipe)) == {"swap/x"}


def test_a_record_that_names_files_elsewhere_removes_nothing(recipe, tmp_path) -> None:
    deliver(recipe, (), *_sources(tmp_path / "a", "x"))
    (tmp_path / "precious").write_text("1")
    folder = Path(recipe.output.directory)
    record = folder / RECORD
    sha256 = hashlib.sha256(b"1").hexdigest()
    text = re.sub(r'"sha256": "[0-9a-f]+"', f'"sha256": "{sha256}"', record.read_text())
    record.write_text(text.replace('"path": "x"', '"path": "../../precious"'))
    with pytest.raises(TsmError):
        deliver(recipe, (), *_sources(tmp_path / "b", "y"))
    assert (tmp_path / "precious").exists()


def test_many_deliveries_at_once_leave_one_whole_result(recipe, tmp_path) -> None:
    given = _sources(tmp_path / "a", "x.parquet", *(f"hats/{n}" for n in range(20)))
    with ThreadPoolExecutor(8) as eight:
        list(eight.map(lambda _: deliver(recipe, (), *given), range(40)))
    assert len(_found(recipe)) == 21
    assert not list(Path(recipe.output.directory).glob(".*"))


def test_what_a_killed_delivery_left_is_swept(recipe, tmp_path) -> None:
    folder = Path(recipe.output.directory)
    (folder / ".hats.pz-tsm-partial" / "deep").mkdir(parents=True)
    (folder / ".x.pz-tsm-partial").touch()
    (folder / ".download.partial").touch()
    deliver(recipe, (), *_sources(tmp_path / "a", "x"))
    assert [path.name for path in folder.glob(".*")] == [".download.partial"]


def test_two_recipes_never_share_a_folder(recipe, tmp_path) -> None:
    deliver(recipe, (), *_sources(tmp_path / "a", "x"))
    other = recipe.model_copy(update={"name": "other"})
    with pytest.raises(TsmError, match="the record of recipe `r`"):
        deliver(other, (), *_sources(tmp_path / "b", "y"))
    assert set(_found(recipe)) == {"x"}


def test_a_folder_that_cannot_be_written_to_is_refused(recipe, tmp_path) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(TsmError) as refused:
        deliver(recipe, (), *_sources(tmp_path / "a", "x"))
    assert refused.value.codes == (Code.OUTPUT_WRITE,)
