"""Whether what stands at a key is what was published there, to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pz_tsm_core.model.artifact import FileEntry, Manifest
from pz_tsm_core.store import manifests
from pz_tsm_core.store.backend import MANIFEST, Backend, Stamp, Stamps
from pz_tsm_core.store.seal import DamageError

_READ_BYTES = 1 << 20


class Inspector:
    """Compares objects with their manifests, and remembers which files were found sound.

    Every method raises `DamageError` for what differs, and `OSError` where the place refuses.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._sound: Stamps = {} if backend.sound is None else backend.sound

    def manifest(self, key: str) -> Manifest | None:
        """Manifest of the object at a key, None when there is no object."""
        content = self._read_manifest(key)
        if content is None:
            return None
        return manifests.from_bytes(content, key.rpartition("/")[2])

    def _read_manifest(self, key: str) -> bytes | None:
        try:
            return self._backend.read(f"{key}/{MANIFEST}")
        except FileNotFoundError:
            if not self._backend.files(key):
                return None
        try:  # it may have been published between the two looks
            return self._backend.read(f"{key}/{MANIFEST}")
        except FileNotFoundError:
            raise DamageError("there are files but no manifest") from None

    def check_files(self, key: str, manifest: Manifest) -> None:
        """Compare the list of files, and the size and bytes of each, with the manifest.

        Bytes for which the place vouches are not read again.
        """
        for damage in self._damages(key, manifest, self._backend.sound):
            raise DamageError(damage)

    def damages(self, key: str, manifest: Manifest) -> Iterator[str]:
        """Yield in words what is wrong with each file that differs from the manifest."""
        return self._damages(key, manifest, None)

    def _damages(self, key: str, manifest: Manifest, sound: Stamps | None) -> Iterator[str]:
        stamps = self._backend.files(key)
        known = {file.path for file in manifest.files}
        for path in sorted(stamps.keys() - known - {MANIFEST}):
            yield f"{path} is not in the manifest"
        for file in manifest.files:
            stamp = stamps.get(file.path)
            try:
                if stamp is None or not sound or sound.get(f"{key}/{file.path}") != stamp:
                    self._check(key, file, stamp)
            except DamageError as damage:
                yield str(damage)

    def check_once(self, key: str, file: FileEntry) -> None:
        """Compare one file, unless it was found sound before and has not been written since."""
        stamp = self._backend.files(key).get(file.path)
        if stamp is None or self._sound.get(f"{key}/{file.path}") != stamp:
            self._check(key, file, stamp)

    def _check(self, key: str, file: FileEntry, stamp: Stamp | None) -> None:
        if stamp is None:
            raise DamageError(f"{file.path} is missing")
        if stamp.size != file.size:
            raise DamageError(f"{file.path} has {stamp.size} bytes, not {file.size}")
        for _ in self.pieces(key, file):
            pass
        self._sound[f"{key}/{file.path}"] = stamp

    def pieces(self, key: str, file: FileEntry) -> Iterator[bytes]:
        """Yield the bytes of a file; after the last of them it is known whether they are sound."""
        sha256 = hashlib.sha256()
        try:
            with self._backend.open(f"{key}/{file.path}") as source:
                while piece := source.read(_READ_BYTES):
                    sha256.update(piece)
                    yield piece
        except FileNotFoundError:
            raise DamageError(f"{file.path} is missing") from None
        if sha256.hexdigest() != file.sha256:
            raise DamageError(f"the bytes of {file.path} are not those published")
