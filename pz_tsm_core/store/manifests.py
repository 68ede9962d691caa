"""Manifests: made from a draft, sealed when written, read back only if not a bit has changed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from pz_tsm_core.model.artifact import FileEntry, Manifest, StageRequest, canonical_json
from pz_tsm_core.store.draft import Draft
from pz_tsm_core.store.posix import regular_files
from pz_tsm_core.store.seal import DamageError, sealed, unsealed

_SCHEMA = 1
_LIBRARIES = ("pz-tsm", "numpy", "pyarrow")


def make_manifest(request: StageRequest, draft: Draft) -> Manifest:
    """Record what a filled draft holds."""
    files = inventory(draft.directory)
    tables = {name: digest.hexdigest() for name, digest in draft.tables.items()}
    return Manifest(
        request=request,
        address=request.address,
        content=content_digest(tables, files),
        access=request.access,
        tables=tables,
        table_rows={name: digest.rows for name, digest in draft.tables.items()},
        files=files,
        rows=draft.account,
        counts={name: dict(counts) for name, counts in draft.counts.items()},
        notes=draft.notes,
        software=_software(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _software() -> dict[str, str]:
    """Releases that made the artifact, for people; what changes a result is in the request."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"  # the library is used straight from a checkout
    return found


def content_digest(tables: Mapping[str, str], files: tuple[FileEntry, ...]) -> str:
    """sha256 over the digests of the tables, or, where there are none, of the files."""
    said = dict(tables) or {file.path: file.sha256 for file in files}
    return hashlib.sha256(canonical_json(said)).hexdigest()


def inventory(directory: Path) -> tuple[FileEntry, ...]:
    """Path, size and sha256 of every file of a draft, sorted by path.

    Raises
    ------
    ValueError
        For symlinks, sockets and the like, which would lead out of the artifact.
    """
    return tuple(_entry(path, directory) for path in regular_files(directory))


def _entry(path: Path, directory: Path) -> FileEntry:
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path} is no regular file and cannot be published")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    relative = path.relative_to(directory).as_posix()
    return FileEntry(path=relative, size=path.stat().st_size, sha256=sha256)


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest as a sealed record."""
    return sealed(manifest.model_dump(mode="json", by_alias=True))


def from_bytes(content: bytes, address: str) -> Manifest:
    """Read the manifest of the artifact at an address.

    Raises
    ------
    DamageError
        When it is not exactly what was written there.
    TsmError
        `store.unsupported` when a later release of this program wrote it.
    """
    said = unsealed(content, f"artifact {address}", schema=_SCHEMA)
    try:
        manifest = Manifest.model_validate(said)
    except ValidationError as error:
        raise DamageError(f"the manifest is not valid: {error}") from error
    request = manifest.request
    if not address == manifest.address == request.address or manifest.access != request.access:
        raise DamageError("the manifest belongs to another request")
    return manifest
