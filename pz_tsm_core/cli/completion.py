"""What the shell offers for the word that is being typed: quick, silent, and never a refusal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

#: More files than this in a folder are not listed.
_LISTED = 2_000
_SURVEYS = Path(__file__).parents[1] / "surveys" / "data"
_DUST_MAPS = Path(__file__).parents[1] / "dust" / "maps.yaml"
_RELEASES = Path(__file__).parents[1] / "releases" / "data"


def recipes(incomplete: str) -> Iterator[str]:
    """Recipes, and folders on the way to them."""
    return _files(incomplete, (".yaml", ".yml"))


def files(incomplete: str) -> Iterator[str]:
    """Files and folders of any name."""
    return _files(incomplete, ("",))


def surveys(incomplete: str) -> Iterator[str]:
    """Keys of the registered surveys, by the names of their files."""
    keys = sorted(path.stem for path in _SURVEYS.glob("*.yaml"))
    return (key for key in keys if key.startswith(incomplete))


def dust_maps(incomplete: str) -> Iterator[str]:
    """Names of the dust maps that can be fetched."""
    import yaml

    named = yaml.safe_load(_DUST_MAPS.read_text("utf-8"))["maps"]
    return (name for name in named if name.startswith(incomplete))


def releases(incomplete: str) -> Iterator[str]:
    """Keys of the profiles of object catalogues, and YAML files."""
    keys = sorted(path.stem for path in _RELEASES.glob("*.yaml"))
    yield from (key for key in keys if key.startswith(incomplete))
    yield from recipes(incomplete)


def policies(incomplete: str) -> Iterator[str]:
    """When to ask a source."""
    from typing import get_args

    from pz_tsm_core.model.retrieval import FetchPolicy

    return (policy for policy in get_args(FetchPolicy) if policy.startswith(incomplete))


def services(incomplete: str) -> Iterator[str]:
    """Names of the services that are known."""
    from pz_tsm_core.sources import SERVICES

    return (name for name in sorted(SERVICES) if name.startswith(incomplete))


def regions(incomplete: str) -> Iterator[str]:
    """Fields of the sky that have a name, and files with a MOC."""
    from pz_tsm_core.surveys.fields import fields

    yield from (name for name in sorted(fields()) if name.startswith(incomplete))
    yield from files(incomplete)


def products(incomplete: str) -> Iterator[str]:
    """Names of the products that this principal sees in the usual store; none for one on S3.

    Whoever presses the tabulator does not wait for a network.
    """
    from pz_tsm_core.errors import TsmError
    from pz_tsm_core.model.artifact import Principal
    from pz_tsm_core.store import default_location, open_store

    principal = Principal(name=os.environ.get("PZ_TSM_PRINCIPAL", "local"))
    if "://" in (location := default_location()):
        return
    try:
        names = open_store(location, principal).products.names()
    except (TsmError, OSError):
        return
    yield from (name for name in names if name.startswith(incomplete))


def anything(incomplete: str) -> Iterator[str]:
    """Whatever can be looked at: files, and products of the store."""
    yield from files(incomplete)
    yield from products(incomplete)


def _files(incomplete: str, endings: tuple[str, ...]) -> Iterator[str]:
    from pz_tsm_core.files import expanded

    folder, _, start = incomplete.rpartition("/")
    place = expanded(f"{folder}/" if folder or incomplete.startswith("/") else ".")
    try:
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)[:_LISTED]
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        path = incomplete.removesuffix(start) + entry.name
        if entry.is_dir():
            yield f"{path}/"
        elif entry.name.lower().endswith(endings):
            yield path
