"""Profiles of Object catalogues (data/*.yaml): LSST's data releases, and files of a user's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.model.document import Document, build
from pz_tsm_core.model.release import Release

_DATA = files(__name__) / "data"

#: Endings by which a file is told from the key of a profile.
_ENDINGS = (".yaml", ".yml")


def release_keys() -> tuple[str, ...]:
    """Keys of all profiles, sorted."""
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in _DATA.iterdir()
                        if entry.name.endswith(".yaml")))


@cache
def get_release(key: str) -> Release:
    """Return the profile of a release.

    Raises
    ------
    TsmError
        `release.unknown`, naming the nearest key
    """
    known = release_keys()
    if key not in known:
        raise refuse(Code.RELEASE_UNKNOWN, "release", found=key,
                     expected="the key of a profile, or the path of a YAML file of your own",
                     remedy=nearest(key, known))
    return build(Release, read_document(_DATA / f"{key}.yaml", code=Code.RELEASE_INVALID))


def is_own(named: str) -> bool:
    """Whether a release is named by a file of a user's own."""
    return named.endswith(_ENDINGS)


def own_release(path: Path) -> Release:
    """Read the profile that a user wrote; what it leaves out follows from the file's name.

    Raises
    ------
    TsmError
        `file.missing`; `release.invalid` with every mistake and its line, also for a profile
        that takes the key of the library's.
    """
    document = read_document(path, code=Code.RELEASE_INVALID)
    key = document.content.get("key", path.stem)
    named = {"key": key, "name": key, **document.content}
    release = build(Release, Document(document.name, named, document.lines, document.code))
    if release.key in release_keys():
        raise refuse(Code.RELEASE_INVALID, document.where(("key",)), found=f"`{release.key}`",
                     expected="a key that no profile of the library has",
                     remedy="write `key:` with a word of your own")
    return release


def find_release(named: str | Path) -> Release:
    """Return the profile of a key, or the one that a YAML file holds.

    Raises
    ------
    TsmError
        as `get_release` and `own_release`
    """
    text = str(named)
    return own_release(expanded(text)) if is_own(text) else get_release(text)
