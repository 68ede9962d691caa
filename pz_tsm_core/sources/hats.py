"""HATS catalogues and collections that somebody else keeps: here, on a web server, on S3."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import sha256_of
from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.remote.errors import passing
from pz_tsm_core.remote.part import Part
from pz_tsm_core.remote.validators import Edition
from pz_tsm_core.sources._disk import on_disk
from pz_tsm_core.sources._folders import Folder, LocalFolder, RemoteFolder, open_folder
from pz_tsm_core.sources._partitions import touching
from pz_tsm_core.sources._ranges import RangedFile, Ranges
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

if TYPE_CHECKING:
    from pz_tsm_core.hats_layout import Layout

#: Below the catalogue: its columns, and the footers of all its partitions, which not all have.
SCHEMA, FOOTERS = "dataset/_common_metadata", "dataset/_metadata"

#: Rows that are held in memory as they are written.
BATCH_ROWS = 131_072

#: Bytes of the wanted columns that a group of rows may have in a file: they are held in memory.
LARGEST_GROUP = 2**30

#: Files in the folder of a partition; others begin with a mark, or are links of a page.
_FILE = re.compile(r"[^\W_][\w.+=-]*")


@dataclass(frozen=True)
class _Catalogue:
    """What a catalogue says of itself, and by what it is told from the next edition."""

    folder: Folder
    layout: Layout
    said: dict[str, bytes]

    @property
    def validator(self) -> str:
        """Digest of what it says of itself, and the edition of its list of footers."""
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in self.said.items()}
        return sha256_of([digests, self.folder.edition(str(self.layout.primary / FOOTERS))])

    def columns(self) -> dict[str, ColumnSaid]:
        """As its schema says, else the footer of its first file."""
        schema = self.said.get(str(self.layout.primary / SCHEMA))
        file = io.BytesIO(schema) if schema else \
            next(map(self.folder.file, self.files(self.layout.pixels)), None)
        if file is None:
            return {}
        with _sound(self.folder.where):
            return {field.name: ColumnSaid.of(field) for field in pq.read_schema(file)}

    def files(self, pixels: Iterable[Any]) -> Iterator[str]:
        """Names of the files of these partitions, in the order of the sky."""
        for partition in map(self.layout.partition, pixels):
            if not self.layout.in_folders:
                yield str(partition)
                continue
            for name in self.folder.names(str(partition)):
                if _FILE.fullmatch(name):
                    yield str(partition / name)

    def chosen(self, ask: Ask) -> Iterator[str]:
        """Names of the files that may hold rows of what is wanted."""
        said = self.layout.properties
        # Positions from other columns, or of another kind, may lie in partitions farther away.
        if ask.position != (said.ra_column, said.dec_column):
            return self.files(self.layout.pixels)
        return self.files(touching(self.layout.pixels, ask.wanted))


class Hats(Service):
    """A catalogue or collection in HATS: `url` is the folder's path, or https:// or s3://.

    Of a collection the catalogue itself is read, and no margin or index. Where the definition takes
    positions from the columns by which the catalogue is divided, partitions far from the wanted
    region are left out. Only the wanted columns are brought from elsewhere; files that are here
    are lent as they are.
    """

    name = "hats"

    def look(self, ask: Ask) -> Offer:
        """Say what columns and rows it has; a few small requests."""
        catalogue = self._open(ask.place.url)
        rows = catalogue.layout.properties.total_rows if ask.wanted.whole else None
        validator = catalogue.validator
        return Offer(columns=catalogue.columns(), rows=rows, validator=validator,
                     unchanged=validator == ask.known)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring partitions, one file at a time; those that came whole in a former try stay."""
        catalogue = self._open(ask.place.url)
        where, came = catalogue.folder.where, 0
        if catalogue.validator != offer.validator:
            raise passing(Code.SERVICE_INCOMPLETE, where, expected="the one of a moment ago",
                          found="another catalogue under the same address", remedy="try again")
        in_part = ask.wanted.region is not None or ask.wanted.moc
        for name in catalogue.chosen(ask):
            piece = self._piece(catalogue.folder, name, ask.columns.values(), folder)
            yield piece
            came += piece.rows or 0
            self.reach.tell(where, came, offer.rows, "rows")
            if ask.wanted.rows is not None and came >= ask.wanted.rows and not in_part:
                return

    def _open(self, url: str) -> _Catalogue:
        """Read what the catalogue says of itself, from a copy of those few files."""
        from pz_tsm_core.hats_layout import read_layout  # hats takes a second

        folder = open_folder(self.reach, url)
        with TemporaryDirectory(prefix="pz-tsm-hats-") as copies:
            said = _copied(folder, Path(copies))
            return _Catalogue(folder, read_layout(Path(copies), folder.where), said)

    def _piece(self, place: Folder, name: str, columns: Iterable[str], folder: Path) -> Piece:
        if isinstance(place, RemoteFolder):
            path = folder / name.rpartition("dataset/")[2].replace("/", "-")
            self._bring(place.open(name), columns, path)
        else:
            path = place.path / name
        with _sound(f"{place.where}/{name}"):
            rows = pq.read_metadata(path).num_rows
        return Piece(path, "parquet", rows=rows, lent=isinstance(place, LocalFolder))

    def _bring(self, there: Ranges, columns: Iterable[str], target: Path) -> None:
        """Write the wanted columns of a file into one here, if that has not been done."""
        part, edition = Part(target, there.url), Edition(etag=there.validator, bytes=there.size)
        if part.whole == edition:
            return
        part.begin(edition)
        with _sound(there.where), on_disk(target):
            _copy_columns(there, {name.lower() for name in columns}, part.path)
            part.finish()


def _copied(folder: Folder, copies: Path) -> dict[str, bytes]:
    """Copy the small files by which a catalogue says what it is; give their bytes by name.

    Raises
    ------
    TsmError
        `catalog.invalid`, or `service.*`, when it has no properties.
    """
    from pz_tsm_core.hats_layout import COLLECTION, PARTITIONS, PROPERTIES, primary_of

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


def _copy_columns(there: Ranges, wanted: set[str], path: Path) -> None:
    """Write the columns of a remote Parquet file that have these names, in whatever case.

    Groups of rows come one after the other, each column in one request.
    """
    with pq.ParquetFile(RangedFile(there), pre_buffer=True,
                        page_checksum_verification=True) as file:
        # Masks stand beside their columns in files that astropy wrote.
        fields = [field for field in file.schema_arrow
                  if field.name.lower().removesuffix(".mask") in wanted]
        if not fields:
            raise refuse(Code.SERVICE_SCHEMA, there.where, found="none of the wanted columns",
                         expected=", ".join(sorted(wanted)),
                         remedy="correct `sources` of the definition")
        schema = pa.schema(fields, _kept_metadata(file.schema_arrow))
        # Written fast, for they are read once: dictionaries of floats and ids take long.
        texts = [field.name for field in fields if pa.types.is_string(field.type)]
        with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=texts,
                              write_page_checksum=True) as writer:
            for number in range(file.num_row_groups):
                _check_group(file.metadata.row_group(number), set(schema.names), there.where)
                for batch in file.iter_batches(BATCH_ROWS, [number], schema.names):
                    writer.write_batch(batch)


def _kept_metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    """What a file says of itself, without the index of pandas, which is no wanted column."""
    return {key: value for key, value in (schema.metadata or {}).items() if key != b"pandas"}


def _check_group(group: Any, names: set[str], where: str) -> None:
    """Refuse a group of rows that would not fit into memory."""
    chunks = map(group.column, range(group.num_columns))
    size = sum(chunk.total_compressed_size for chunk in chunks
               if chunk.path_in_schema.split(".")[0] in names or chunk.path_in_schema in names)
    if size > LARGEST_GROUP:
        raise refuse(Code.REMOTE_LIMIT, where, found=f"{size:,} bytes in a group of rows",
                     expected=f"at most {LARGEST_GROUP:,}", remedy="use another copy")


@contextmanager
def _sound(where: str) -> Iterator[None]:
    """Tell that a file is damaged, in our words."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise refuse(Code.FILE_DAMAGED, where, found=str(error).split("\n")[0],
                     expected="an intact Parquet file", remedy="use another copy") from None
