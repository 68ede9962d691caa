"""A HATS catalogue or collection where it lies: here, on a web server, on S3."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.hats_layout import (
    COLLECTION,
    PARTITIONS,
    PROPERTIES,
    Layout,
    primary_of,
    read_layout,
)
from pz_tsm_core.model.artifact import sha256_of
from pz_tsm_core.sphere import Tile

if TYPE_CHECKING:
    from pz_tsm_core.remote.folders import Folder

#: Below the catalogue: its columns, and the footers of all its partitions, which not all have.
SCHEMA, FOOTERS = "dataset/_common_metadata", "dataset/_metadata"

#: Files in the folder of a partition; others begin with a mark, or are links of a page.
_FILE = re.compile(r"[^\W_][\w.+=-]*")


@dataclass(frozen=True)
class HatsFolder:
    """What a catalogue says of itself, and by what it is told from the next edition."""

    folder: Folder
    layout: Layout
    said: dict[str, bytes]

    @cached_property
    def footers(self) -> str:
        """The edition of its list of footers; empty where it has none."""
        return self.folder.edition(str(self.layout.primary / FOOTERS))

    @property
    def validator(self) -> str:
        """Digest of what it says of itself, and the edition of its list of footers."""
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in self.said.items()}
        return sha256_of([digests, self.footers])

    def schema(self) -> pa.Schema:
        """Columns as the catalogue says, else as the footer of its first file; none without any."""
        said = self.said.get(str(self.layout.primary / SCHEMA))
        file = io.BytesIO(said) if said else \
            next(map(self.folder.file, self.files(self.layout.pixels)), None)
        if file is None:
            return pa.schema([])
        with sound(self.folder.where, Code.CATALOG_INVALID):
            return pq.read_schema(file)

    def files(self, pixels: Iterable[Tile]) -> Iterator[str]:
        """Names of the files of these partitions, in the order of the sky."""
        for partition in map(self.layout.partition, pixels):
            if not self.layout.in_folders:
                yield str(partition)
                continue
            with sound(f"{self.folder.where}/{partition}", Code.CATALOG_INVALID):
                names = self.folder.names(str(partition))
            for name in names:
                if _FILE.fullmatch(name):
                    yield str(partition / name)


def open_hats_folder(folder: Folder) -> HatsFolder:
    """Read what a catalogue, or the primary one of a collection, says of itself.

    A few small files are copied, for `hats_layout` reads them from a folder.

    Raises
    ------
    TsmError
        `catalog.invalid` for what is no catalogue; `service.*`.
    """
    with TemporaryDirectory(prefix="pz-tsm-hats-") as copies:
        said = _copied(folder, Path(copies))
        return HatsFolder(folder, read_layout(Path(copies), folder.where), said)


def _copied(folder: Folder, copies: Path) -> dict[str, bytes]:
    """Copy the small files by which a catalogue says what it is; give their bytes by name."""
    said: dict[str, bytes] = {}

    def copy(name: str) -> bool:
        if (data := folder.read(name)) is not None:
            said[name] = data
            (copies / name).parent.mkdir(parents=True, exist_ok=True)
            (copies / name).write_bytes(data)
        return data is not None

    copy(COLLECTION)
    primary = primary_of(copies, folder.where)
    if not any(copy(str(primary / name)) for name in PROPERTIES):
        raise folder.absent(str(primary / PROPERTIES[0]))
    for name in (PARTITIONS, SCHEMA):
        copy(str(primary / name))
    return said


@contextmanager
def sound(where: str, code: Code = Code.FILE_DAMAGED) -> Iterator[None]:
    """Tell that a file is damaged, in our words.

    Raises
    ------
    TsmError
        Of the code.
    """
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise refuse(code, where, found=str(error).split("\n")[0],
                     expected="an intact Parquet file", remedy="use another copy") from None
