"""LSST data releases, one profile (data/*.yaml) each."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.files import read_document
from pz_tsm_core.model.document import build
from pz_tsm_core.model.release import Release

_DATA = files(__name__) / "data"


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
        raise refuse(Code.RELEASE_UNKNOWN, "release", found=key, expected="the key of a profile",
                     remedy=nearest(key, known))
    return build(Release, read_document(_DATA / f"{key}.yaml", code=Code.RELEASE_INVALID))
