"""kill -9 before every step of a delivery: its name goes on, and what is a user's stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.export.deliver import NOTE, RECORD
from tests.faults.deliverer import deliver_content, files_of, found_in, killed_everywhere

MINE = {"notes.txt": "mine"}
#: The delivery that is killed is the first of its name, or comes after another one.
BEFORE = ("", "a")


@pytest.fixture(scope="module")
def all_left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Folders as a delivery of `b` left them, by what was delivered before and step."""
    return {before: _left(tmp_path_factory.mktemp("killed"), before) for before in BEFORE}


def _left(root: Path, before: str) -> list[Path]:
    start = root / "start"
    start.mkdir()
    (start / "notes.txt").write_text(MINE["notes.txt"])
    if before:
        deliver_content(start, before)
    return killed_everywhere(start, root / "left", "b")


@pytest.fixture(params=BEFORE, ids=["first", "later"])
def left(
    request: pytest.FixtureRequest, all_left: dict[str, list[Path]], tmp_path: Path
) -> list[Path]:
    """Copies of these folders for one test."""
    return [shutil.copytree(folder, tmp_path / "left" / folder.name)
            for folder in all_left[request.param]]


def test_the_processes_died_at_every_step_from_before_the_first_file_to_after_the_record(
    left: list[Path],
) -> None:
    stand = [found_in(folder).items() & files_of("b").items() for folder in left]
    assert {len(files) for files in stand} == {0, 1, 2, 4, 5}  # `hats` arrives as a whole
    unrecorded = [folder for folder, files in zip(left, stand, strict=True)
                  if len(files) == 5 and not _recorded(folder, "new.csv")]
    assert unrecorded
    assert all((folder / NOTE).exists() for folder in unrecorded)
    assert found_in(left[-1]) == files_of("b") | MINE
    assert _recorded(left[-1], "new.csv")


def _recorded(folder: Path, name: str) -> bool:
    return (folder / RECORD).exists() and name in (folder / RECORD).read_text("utf-8")


def test_some_died_while_they_emptied_a_folder(all_left: dict[str, list[Path]]) -> None:
    inside = {(path, text) for path, text in files_of("a").items() if path.startswith("hats/")}
    assert 1 in {len(found_in(folder).items() & inside) for folder in all_left["a"]}


@pytest.mark.parametrize("content", ["b", "c", "d"])
def test_the_next_run_delivers_the_same_or_another_content_and_leaves_no_other(
    left: list[Path], content: str
) -> None:
    for folder in left:
        deliver_content(folder, content)
        assert found_in(folder) == files_of(content) | MINE, folder.name


def test_a_second_run_that_is_killed_too_takes_nothing_from_the_third(
    left: list[Path], tmp_path: Path
) -> None:
    halfway = left[len(left) // 2]
    assert (halfway / NOTE).exists()
    again = killed_everywhere(halfway, tmp_path / "again", "c")
    assert len(again) > 10
    for folder in again:
        deliver_content(folder, "d")
        assert found_in(folder) == files_of("d") | MINE, folder.name


@pytest.mark.parametrize("mine", ["page.html", "last.csv", "hats/mine"])
def test_a_file_of_the_users_own_is_refused_and_everything_stays_as_it_is(
    left: list[Path], mine: str
) -> None:
    for folder in left:
        path = folder / mine
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        before = _lasting(folder)
        with pytest.raises(TsmError) as refused:
            deliver_content(folder, "c")
        assert refused.value.codes == (Code.OUTPUT_EXISTS,)
        assert _lasting(folder) == before
        path.unlink()
        deliver_content(folder, "c")
        assert found_in(folder) == files_of("c") | MINE


def _lasting(folder: Path) -> dict[str, str]:
    """All files of a folder but those that were not whole yet."""
    return {path: text for path, text in found_in(folder).items() if "-partial" not in path}


def test_another_recipe_finds_the_folder_taken_as_soon_as_files_may_be_replaced(
    left: list[Path],
) -> None:
    for folder in left:
        taken = (folder / NOTE).exists() or (folder / RECORD).exists()
        assert taken or not found_in(folder).keys() & files_of("b").keys()
        if taken:
            before = _lasting(folder)
            with pytest.raises(TsmError, match="the record of recipe `r`"):
                deliver_content(folder, "d", name="other")
            assert _lasting(folder) == before
