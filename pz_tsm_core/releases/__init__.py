"""LSST data releases, one profile (data/*.yaml) each."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.release import Release


def release_keys() -> tuple[str, ...]:
    """Keys of all profiles, sorted."""
    folder = files(__package__) / "data"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir()
                        if entry.name.endswith(".yaml")))


@cache
def get_release(key: str) -> Release:
    """Return the profile of a release.

    Raises
    ------
    TsmError
        release.unknown, naming the nearest key
    """
    known = release_keys()
    if key not in known:
        raise refuse(Code.RELEASE_UNKNOWN, "release", found=key, expected="the key of a profile",
                     remedy=nearest(key, known))
    text = (files(__package__) / "data" / f"{key}.yaml").read_text(encoding="utf-8")
    return Release.model_validate(yaml.safe_load(text))
