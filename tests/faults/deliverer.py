"""A process that delivers again and again, and dies each time one step later.

    python -m tests.faults.deliverer START ROOT CONTENT

For every n, `ROOT/n` is a copy of the folder START in which a process began to deliver CONTENT and
was killed before the n-th thing that it did to the disk; the last one came to its end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pz_tsm_core.export.deliver import RECORD, Write, deliver
from pz_tsm_core.model.artifact import FileEntry
from pz_tsm_core.model.recipe import Recipe

ROOT = Path(__file__).parents[2]

#: What recipes of different parameters deliver: `swap` is now a file, now a folder.
CONTENTS: dict[str, tuple[str, ...]] = {
    "a": ("page.html", "old.csv", "hats/1", "hats/deep/2", "swap/x"),
    "b": ("page.html", "new.csv", "hats/1", "hats/3", "swap"),
    "c": ("page.html", "last.csv", "hats/deep/2", "hats/3", "swap/y"),
    "d": ("page.html", "only.csv"),
}
#: What Python tells before it does it, of all that changes a disk; `open` only to write.
_STEPS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


def files_of(content: str) -> dict[str, str]:
    """What stands in the folder when the content is delivered: texts by path."""
    return {name: f"{content}: {name}" for name in CONTENTS[content]}


def deliver_content(folder: Path, content: str, name: str = "r") -> None:
    """Deliver a content by a recipe of that name."""
    recipe = Recipe.model_validate({
        "name": name, "schema": 1, "output": {"directory": str(folder)},
        "redshifts": {"surveys": [{"survey": "primus", "file": "x"}]}})
    files = files_of(content)
    tops = dict.fromkeys(path.split("/")[0] for path in files)
    sources: dict[str, Write] = {top: partial(_write, files, top) for top in tops}
    deliver(recipe, (), sources, tuple(map(_entry, files, files.values())))


def _entry(path: str, text: str) -> FileEntry:
    return FileEntry(path=path, size=len(text), sha256=hashlib.sha256(text.encode()).hexdigest())


def _write(files: Mapping[str, str], top: str, target: Path) -> None:
    for path, text in files.items():
        if path.split("/")[0] == top:
            file = target / Path(path).relative_to(top)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")


def found_in(folder: Path) -> dict[str, str]:
    """Texts of all files of a folder by path, without the record."""
    return {file.relative_to(folder).as_posix(): file.read_text("utf-8")
            for file in folder.rglob("*") if file.is_file() and file.name != RECORD}


def killed_everywhere(start: Path, root: Path, content: str) -> list[Path]:
    """Folders as the killed processes left them, by step."""
    subprocess.run([sys.executable, "-m", __name__, str(start), str(root), content], check=True,
                   cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return sorted(root.iterdir())


def main(start: str, root: str, content: str) -> None:
    for nth in count(1):
        folder = shutil.copytree(start, Path(root) / f"{nth:03}")
        process = get_context("fork").Process(target=_die, args=(folder, content, nth))
        process.start()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            sys.exit(process.exitcode)


def _die(folder: Path, content: str, nth: int) -> None:
    left = [nth]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS and (event != "open" or _writes(arguments)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    deliver_content(folder, content)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _path, _mode, flags = arguments
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


if __name__ == "__main__":
    main(*sys.argv[1:])
