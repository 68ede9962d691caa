"""The store: what was asked for stands at its address, whole, or does not stand there at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.artifact import ArtifactRef, FileEntry, Manifest, Principal, StageRequest
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.store import manifests, tables
from pz_tsm_core.store.backend import Backend
from pz_tsm_core.store.collect import NO_TIME, Collected, Collector
from pz_tsm_core.store.draft import Draft
from pz_tsm_core.store.faults import point
from pz_tsm_core.store.inspector import Inspector
from pz_tsm_core.store.keys import ADDRESS, OBJECTS, key_of, key_of_ref
from pz_tsm_core.store.making import agreed, fill_draft
from pz_tsm_core.store.products import Products
from pz_tsm_core.store.records import Records
from pz_tsm_core.store.refusals import LOST, admit, io_errors
from pz_tsm_core.store.seal import DamageError, sealed, unsealed
from pz_tsm_core.store.verify import Verified, verify
from pz_tsm_core.store.waiting import turn_at

if TYPE_CHECKING:
    from upath import UPath

_LOG = logging.getLogger(__name__)


class Store:
    """Artifacts by address, and products by name, for one principal.

    What an open store finds, publishes or reads is not collected as long as it is open: keep it
    until you have done with what it gave, paths included. It ends with the last reference to it.

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

    @property
    def products(self) -> Products:
        """The named versions that the principal may see."""
        return Products(self, Records(self._backend, self.location))

    def beside(self, name: str) -> Path:
        """Local folder for what others keep beside the artifacts, such as an engine's own records.

        Of a store on S3 it lies in this user's cache, one for each store: none of it is truth,
        and what writes it needs a file system. Another machine has its own.
        """
        return self._backend.beside(name)

    def find(self, address: str, stage: str | None = None) -> Manifest | None:
        """Manifest of the artifact at an address, every byte verified; None when there is none.

        A damaged artifact is set aside with a warning, and counts as none.

        Parameters
        ----------
        stage : where it is known, which spares looking below all others

        Raises
        ------
        TsmError
            `store.access` when the principal may not see it; `store.io`.
        """
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no address: 64 hexadecimal digits")
        if self.hold(address):
            with io_errors(self.location):
                for each in [stage] if stage else self._backend.names(OBJECTS):
                    manifest = self._whole(key_of(each, address))
                    if manifest is not None:
                        return manifest
        return None

    def look_up(self, address: str) -> Manifest | None:
        """As `find`, for an address that somebody typed: what is not for their eyes is none."""
        try:
            return self.find(address)
        except TsmError as error:
            if error.codes != (Code.STORE_ACCESS,):
                raise
            return None

    def hold(self, address: str) -> bool:
        """Keep an artifact from being collected while this store is open, once it stands.

        Returns False where there is no store yet, and so nothing stands.
        """
        with io_errors(self.location):
            return self._backend.hold(address)

    def manifest(self, ref: ArtifactRef) -> Manifest:
        """Manifest of an artifact that exists; its files are not verified.

        Raises
        ------
        TsmError
            `store.missing`, `store.access`, `store.corrupt` or `store.io`.
        """
        stands = self.hold(ref.address)
        with self._reading(ref):
            manifest = self._inspector.manifest(key_of_ref(ref)) if stands else None
            if manifest is None:
                raise refuse(
                    Code.STORE_MISSING, _name(ref), found=f"no such artifact in {self.location}",
                    expected="an artifact that an earlier stage left",
                    remedy="run the recipe again: what is missing is made anew",
                )
            if manifest.content != ref.content:
                raise DamageError(f"its content is {manifest.content}, not {ref.content}")
        admit(self.principal, manifest.access, _name(ref))
        return manifest

    def peek(self, ref: ArtifactRef) -> Manifest | None:
        """Manifest of an artifact; None when it is missing or its manifest damaged."""
        try:
            return self.manifest(ref)
        except TsmError as error:
            if not LOST.issuperset(error.codes):
                raise
            return None

    def directory(self, ref: ArtifactRef) -> Path | UPath:
        """Folder of an artifact, to be read by other libraries and never written to.

        Of a store on S3 it is a `UPath`, which carries no credentials: whoever opens it, also on
        another machine, has them in the environment.
        """
        self.manifest(ref)
        return self._backend.locate(key_of_ref(ref))

    def copy_out(self, ref: ArtifactRef, name: str, target: Path) -> None:
        """Copy a file or folder of an artifact; what arrives is what was published.

        Parameters
        ----------
        target : where nothing is yet; gets the file, or the folder with all below it

        Raises
        ------
        TsmError
            `store.corrupt` when a file is damaged; as `manifest`.
        OSError
            When it cannot be written there.
        """
        for file in self.manifest(ref).files:
            if PurePosixPath(file.path).is_relative_to(name):
                copy = target / PurePosixPath(file.path).relative_to(name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                with copy.open("wb") as stream:
                    stream.writelines(self._pieces(ref, file))

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

    def publish(
        self,
        request: StageRequest,
        fill: Callable[[Draft], None],
        waits: Callable[[], None] = lambda: None,
    ) -> Manifest:
        """Return the artifact of a request: the one that stands there, or what `fill` makes.

        Nothing is visible before it is whole. While another process or thread makes it, this one
        waits; should the other fail, die or stop, it makes it itself. When two have made it all
        the same, the artifact of the first is verified and returned, and the other discarded.

        `fill` may not publish the same request: it would wait for itself.

        Parameters
        ----------
        waits : is called when the artifact has to be waited for

        Raises
        ------
        TsmError
            `store.access`; `store.io`; `store.conflict` when the other result differs.
        Exception
            Whatever `fill` raises; then nothing is published.
        """
        admit(self.principal, request.access, f"request {request.address}")
        while True:
            with self._turn(request, waits) as ours:
                if standing := self._standing(request):
                    return standing
                if ours:
                    return self._make(request, fill)

    def take_in(
        self, fill: Callable[[Draft], None], request_of: Callable[[Draft], StageRequest]
    ) -> Manifest:
        """Publish what `fill` makes at the address that follows from it.

        For what comes from outside: of a fetched table nothing but its content tells what it is.

        Parameters
        ----------
        request_of : the request, from the filled draft

        Raises
        ------
        TsmError
            as `publish`.
        """
        with self._staging() as folder:
            draft = Draft(folder)
            fill_draft(draft, fill)
            request = request_of(draft)
            admit(self.principal, request.access, f"request {request.address}")
            self.hold(request.address)
            return self._offer(folder, draft, request)

    def remember(self, name: str, said: Mapping[str, Any]) -> None:
        """Keep a small record under a name, in place of a former one.

        Raises
        ------
        TsmError
            `store.io`
        """
        with io_errors(self.location):
            self._backend.replace(f"{name}.json", sealed(said))

    def recall(self, name: str) -> dict[str, Any] | None:
        """The record under a name; None when there is none, or it is damaged.

        Nothing rests on such a record: without it a source is asked once more.
        """
        with io_errors(self.location):
            try:
                content = self._backend.read(f"{name}.json")
            except FileNotFoundError:
                return None
        try:
            return unsealed(content, name, schema=1)
        except DamageError as damage:
            _LOG.warning("the record %s is damaged and left out: %s", name, str(damage))
            return None

    def recorded(self, folder: str) -> tuple[str, ...]:
        """Names of the records in a folder, sorted."""
        with io_errors(self.location):
            return tuple(sorted(name.removesuffix(".json") for name in self._backend.files(folder)
                                if name.endswith(".json")))

    def verify(self, version: ProductVersion) -> Verified:
        """Compare every byte that a version rests on with what was published.

        Raises
        ------
        TsmError
            `store.access`; `store.io`.
        """
        with io_errors(self.location):
            return verify(self.manifest, self._inspector, version)

    def collect(self, *, dry_run: bool = False, spare: timedelta = NO_TIME) -> Collected:
        """Delete what no product rests on and no running process uses, whoever owns it.

        Parameters
        ----------
        dry_run : only say what would be deleted
        spare : what was made within that time stays: a run that failed may be begun again

        Raises
        ------
        TsmError
            `store.corrupt` when a record of a product is damaged: nothing is deleted then;
            `store.io`.
        """
        with io_errors(self.location):
            collector = Collector(self._backend, self._inspector, self.products)
            return collector.collect(self.principal, dry_run=dry_run, spare=spare)

    def _pieces(self, ref: ArtifactRef, file: FileEntry) -> Iterator[bytes]:
        with self._reading(ref):
            yield from self._inspector.pieces(key_of_ref(ref), file)

    def _make(self, request: StageRequest, fill: Callable[[Draft], None]) -> Manifest:
        with self._staging() as folder:
            self.hold(request.address)  # now there is a store
            draft = Draft(folder)
            fill_draft(draft, fill)
            return self._offer(folder, draft, request)

    def _offer(self, folder: Path, draft: Draft, request: StageRequest) -> Manifest:
        """Publish a filled draft, unless somebody was faster and their artifact says the same."""
        point("publish.filled")
        key = key_of(request.stage, request.address)
        with io_errors(self.location):
            ours = manifests.make_manifest(request, draft)
            while not self._backend.publish(folder, key, manifests.to_bytes(ours)):
                theirs = self._whole(key)
                if theirs is not None:
                    return agreed(ours, theirs)
            return ours

    def _standing(self, request: StageRequest) -> Manifest | None:
        """Manifest of the artifact of a request, every byte verified; None when there is none."""
        if not self.hold(request.address):
            return None
        with io_errors(self.location):
            return self._whole(key_of(request.stage, request.address))

    @contextmanager
    def _turn(self, request: StageRequest, waits: Callable[[], None]) -> Iterator[bool]:
        """Wait for the turn to make an artifact, or until it stands; whether it is our turn."""
        key = key_of(request.stage, request.address)
        with ExitStack() as stack:
            with io_errors(self.location):
                ours = stack.enter_context(turn_at(self._backend, key, waits))
            yield ours

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
                # As text: a log that kept the error would keep this store open.
                _LOG.warning("%s is damaged and set aside: %s", key, str(damage))
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
            admit(self.principal, manifest.access, key)
            self._inspector.check_files(key, manifest)
        return manifest

    @contextmanager
    def _table(self, ref: ArtifactRef, name: str) -> Iterator[pa.NativeFile]:
        """Open the file of a table, verified unless this store did so and it is unchanged."""
        manifest, key = self.manifest(ref), key_of_ref(ref)
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


def _name(ref: ArtifactRef) -> str:
    return f"{ref.stage} {ref.address}"


def _corrupt(ref: ArtifactRef, damage: Exception) -> TsmError:
    return refuse(
        Code.STORE_CORRUPT, _name(ref), found=str(damage),
        expected="the bytes that were published",
        remedy="run the recipe again: the damaged artifact is set aside and made anew",
    )
