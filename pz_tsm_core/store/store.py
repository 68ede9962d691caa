"""The store: what was asked for stands at its address, whole, or does not stand there at all."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from platformdirs import user_data_path

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.artifact import (
    Access,
    ArtifactRef,
    Manifest,
    Principal,
    StageRequest,
)
from pz_tsm_core.store import manifests, tables
from pz_tsm_core.store.backend import MANIFEST, Backend
from pz_tsm_core.store.draft import Draft
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.inspector import Inspector
from pz_tsm_core.store.manifests import DamageError
from pz_tsm_core.store.posix import PosixBackend
from pz_tsm_core.store.refusals import DISK_FULL, io_errors

LOCAL = Principal()

_LOG = logging.getLogger(__name__)
_ADDRESS = re.compile(r"[0-9a-f]{64}")


def default_location() -> str:
    """Location of the store when nobody says: PZ_TSM_STORE, else the user's data folder."""
    return os.environ.get("PZ_TSM_STORE") or str(user_data_path("pz-tsm") / "store")


def open_store(location: str | Path, principal: Principal = LOCAL) -> Store:
    """Open the store at a path or `file://` URL; its folders are made on the first publish.

    Raises
    ------
    TsmError
        `store.unsupported` for locations other than a folder.
    """
    text = str(location).removeprefix("file://")
    root = Path(text).expanduser()
    if "://" in text or (root.exists() and not root.is_dir()):
        raise refuse(
            Code.STORE_UNSUPPORTED, str(location), found="a location that is no folder",
            expected="a folder on this machine or a file system that it mounts",
            remedy="give the path of a folder",
        )
    root = root.absolute()
    return Store(str(root), principal, PosixBackend(root))


class Store:
    """Artifacts by address, for one principal.

    Parameters
    ----------
    location : where the store is, as people write it
    principal : who asks; what it may not see is refused
    backend : the place that holds the bytes
    """

    def __init__(self, location: str, principal: Principal, backend: Backend) -> None:
        self.location = location
        self.principal = principal
        self._backend = backend
        self._inspector = Inspector(backend)

    def beside(self, name: str) -> Path:
        """Folder for what others keep beside the artifacts, such as an engine's own records."""
        return self._backend.locate(name)

    def find(self, address: str) -> Manifest | None:
        """Manifest of the artifact at an address, every byte verified; None when there is none.

        A damaged artifact is set aside with a warning, and counts as none.

        Raises
        ------
        TsmError
            `store.access` when the principal may not see it; `store.io`.
        """
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no address: 64 hexadecimal digits")
        with io_errors(self.location):
            for stage in self._backend.names("objects"):
                manifest = self._whole(_key(stage, address))
                if manifest is not None:
                    return manifest
        return None

    def manifest(self, ref: ArtifactRef) -> Manifest:
        """Manifest of an artifact that exists; its files are not verified.

        Raises
        ------
        TsmError
            `store.missing`, `store.access`, `store.corrupt` or `store.io`.
        """
        with self._reading(ref):
            manifest = self._inspector.manifest(_key(ref.stage, ref.address))
            if manifest is None:
                raise refuse(
                    Code.STORE_MISSING, _name(ref), found=f"no such artifact in {self.location}",
                    expected="an artifact that an earlier stage left",
                    remedy="run the recipe again: what is missing is made anew",
                )
            if manifest.content != ref.content:
                raise DamageError(f"its content is {manifest.content}, not {ref.content}")
        self._admit(manifest.access, _name(ref))
        return manifest

    def directory(self, ref: ArtifactRef) -> Path:
        """Folder of an artifact, to be read by other libraries and never written to."""
        self.manifest(ref)
        return self._backend.locate(_key(ref.stage, ref.address))

    def read_table(
        self, ref: ArtifactRef, name: str, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Read a table whole, or some of its columns; the file and its pages are verified.

        Raises
        ------
        TsmError
            `store.corrupt` when the file is damaged; `table.missing-column`; as `manifest`.
        """
        with self._reading(ref), self._table(ref, name) as source:
            return tables.read_table(source, f"{_name(ref)}/{name}", columns)

    def schema(self, ref: ArtifactRef, name: str) -> pa.Schema:
        """Columns of a table, with their metadata."""
        with self._reading(ref), self._table(ref, name) as source:
            return pq.read_schema(source)

    def batches(
        self,
        ref: ArtifactRef,
        name: str,
        columns: Sequence[str] | None = None,
        rows: int = 65_536,
    ) -> Iterator[pa.RecordBatch]:
        """Yield a table in batches of at most `rows` rows, verified like `read_table`."""
        with self._reading(ref), self._table(ref, name) as source:
            yield from tables.read_batches(source, f"{_name(ref)}/{name}", columns, rows)

    def publish(self, request: StageRequest, fill: Callable[[Draft], None]) -> Manifest:
        """Return the artifact of a request: the one that stands there, or what `fill` makes.

        Nothing is visible before it is whole. When another process publishes the same address
        meanwhile, its artifact is verified and returned, and this one discarded.

        Raises
        ------
        TsmError
            `store.access`; `store.io`; `store.conflict` when the other result differs.
        Exception
            Whatever `fill` raises; then nothing is published.
        """
        self._admit(request.access, f"request {request.address}")
        key = _key(request.stage, request.address)
        with io_errors(self.location):
            standing = self._whole(key)
        return standing or self._make(request, key, fill)

    def _make(self, request: StageRequest, key: str, fill: Callable[[Draft], None]) -> Manifest:
        with self._staging() as folder:
            draft = Draft(folder)
            _fill(draft, fill)
            point("publish.filled")
            with io_errors(self.location):
                ours = manifests.make_manifest(request, draft)
                while not self._backend.publish(folder, key, manifests.to_bytes(ours)):
                    theirs = self._whole(key)
                    if theirs is not None:
                        return _agreed(ours, theirs)
                return ours

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """Lend a staging folder; errors of what happens inside are not the store's."""
        with ExitStack() as stack:
            with io_errors(self.location):
                folder = stack.enter_context(self._backend.staging())
            yield folder

    def _whole(self, key: str) -> Manifest | None:
        """Manifest of the object at a key if all of it is sound; a damaged one is set aside."""
        while True:
            try:
                return self._verify(key)
            except DamageError as damage:
                _LOG.warning("%s is damaged and set aside: %s", key, damage)
            if self._backend.set_aside(key, lambda: self._is_damaged(key)):
                return None

    def _is_damaged(self, key: str) -> bool:
        try:
            self._verify(key)
        except DamageError:
            return True
        return False

    def _verify(self, key: str) -> Manifest | None:
        manifest = self._inspector.manifest(key)
        if manifest is not None:
            self._admit(manifest.access, key)
            self._inspector.check_files(key, manifest)
        return manifest

    @contextmanager
    def _table(self, ref: ArtifactRef, name: str) -> Iterator[pa.NativeFile]:
        """Open the file of a table, verified unless this store did so and it is unchanged."""
        manifest, key = self.manifest(ref), _key(ref.stage, ref.address)
        entries = [file for file in manifest.files if file.path == f"{name}.parquet"]
        if not entries:
            raise refuse(
                Code.STORE_MISSING, _name(ref), found=f"no table `{name}`",
                expected="one of: " + ", ".join(sorted(manifest.tables)),
                remedy="ask for a table that this stage writes",
            )
        self._inspector.check_once(key, entries[0])
        with self._backend.open(f"{key}/{entries[0].path}") as source:
            yield source

    @contextmanager
    def _reading(self, ref: ArtifactRef) -> Iterator[None]:
        """Tell damage of an artifact as `store.corrupt`, failing hardware as `store.io`."""
        try:
            yield
        except (DamageError, pa.ArrowInvalid) as damage:
            raise _corrupt(ref, damage) from damage
        except OSError as error:
            if error.errno is None:  # Parquet's own complaint about a page or footer
                raise _corrupt(ref, error) from error
            with io_errors(_name(ref)):
                raise

    def _admit(self, access: Access, where: str) -> None:
        if not access.admits(self.principal):
            raise refuse(
                Code.STORE_ACCESS, where, found=f"principal `{self.principal.name}`",
                expected=f"one who may see {access}",
                remedy="open the store as its owner, or with the data right",
            )


def _key(stage: str, address: str) -> str:
    return f"objects/{stage}/{address[:2]}/{address}"


def _name(ref: ArtifactRef) -> str:
    return f"{ref.stage} {ref.address}"


def _corrupt(ref: ArtifactRef, damage: Exception) -> TsmError:
    return refuse(
        Code.STORE_CORRUPT, _name(ref), found=str(damage),
        expected="the bytes that were published",
        remedy="run the recipe again: the damaged artifact is set aside and made anew",
    )


def _fill(draft: Draft, fill: Callable[[Draft], None]) -> None:
    """Run the stage; of its errors only a full disk is the store's to explain."""
    try:
        fill(draft)
    except OSError as error:
        if error.errno in DISK_FULL:
            with io_errors(str(draft.directory)):
                raise
        raise
    if (draft.directory / MANIFEST).exists():
        raise ValueError(f"a stage cannot write {MANIFEST}: the store does")


def _agreed(ours: Manifest, theirs: Manifest) -> Manifest:
    """The other artifact, if it says the same as ours: equal requests have equal results."""
    if ours.content != theirs.content:
        raise refuse(
            Code.STORE_CONFLICT, f"{ours.request.stage} {ours.address}",
            found=f"results {ours.content} and {theirs.content} of one request",
            expected="equal results", remedy="report this: the stage depends on something unnamed",
        )
    return theirs
