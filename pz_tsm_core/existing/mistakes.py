"""What can be wrong with any configuration beyond its types: misspelt keys, files not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pz_tsm_core.errors import Code, Problem, Problems, nearest
from pz_tsm_core.files import expanded
from pz_tsm_core.model.document import Document, Loc
from pz_tsm_core.sky.catalog import is_hats

#: A key this near to a known one is a misspelling of it.
_NEAR = 0.75


def entries(document: Document) -> Iterator[tuple[Loc, Mapping[Any, Any]]]:
    """Catalogues of `inputs.specz` as far as they are mappings, whatever else is wrong."""
    inputs = document.content.get("inputs")
    listed = inputs.get("specz") if isinstance(inputs, Mapping) else None
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield ("inputs", "specz", index), entry


def placed(problems: Iterable[Problem], here: str) -> Iterator[Problem]:
    """Problems of what a configuration names, under the place where it is named."""
    return (replace(problem, where=f"{here}: {problem.where}") for problem in problems)


def file_named(name: str, root: Path) -> Path | None:
    """What a path names, from `root` or from the working folder."""
    for folder in (root, Path.cwd()):
        path = folder / expanded(name)
        if path.exists():
            return path
    return None


def table_named(
    name: object, loc: Loc, document: Document, root: Path, problems: Problems
) -> Path | None:
    """The file, or the HATS catalogue in the folder, that a path names; noted if there is none.

    What is no path at all is told where types are checked.
    """
    if not isinstance(name, str) or not name:
        return None
    path = file_named(name, root)
    table = path and table_at(path)
    if table is None:
        found = f"no file {name}" if path is None else f"a folder without a catalogue, {name}"
        problems.add(Code.FILE_MISSING, document.where(loc), found=found,
                     expected="a table, or a folder with a HATS catalogue",
                     remedy=f"correct the path; it counts from {root}, then from here")
    return table


def table_at(path: Path) -> Path | None:
    """The file, or the HATS catalogue that a folder is or holds a few levels below."""
    if path.is_file() or is_hats(path):
        return path
    below = (folder for level in ("*", "*/*", "*/*/*") for folder in sorted(path.glob(level)))
    return next((folder for folder in below if folder.is_dir() and is_hats(folder)), None)


def unknown_in(
    loc: Loc, content: object, known: Iterable[str], document: Document, problems: Problems,
    *, strict: bool = False,
) -> Iterator[str]:
    """Note keys that are misspelt, and give remarks on those that nobody knows.

    Parameters
    ----------
    strict : note the latter as well
    """
    names = tuple(known)
    for key in content if isinstance(content, Mapping) else ():
        if key in names:
            continue
        if strict or difflib.get_close_matches(str(key), names, n=1, cutoff=_NEAR):
            problems.add(Code.LEGACY_CONFIG, document.where((*loc, key)),
                         found=f"unknown key `{key}`", expected="one of " + ", ".join(names),
                         remedy=nearest(str(key), names))
        else:
            yield f"{document.where((*loc, key))}: nobody knows this key; it is passed over"
