"""HATS catalogues and collections that somebody else keeps: here, on a web server, on S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.hats_folder import HatsFolder, open_hats_folder, sound
from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.remote.errors import passing
from pz_tsm_core.remote.folders import Folder, LocalFolder, RemoteFolder, open_folder
from pz_tsm_core.remote.part import Part
from pz_tsm_core.remote.ranges import RangedFile, Ranges
from pz_tsm_core.remote.validators import Edition
from pz_tsm_core.sources._disk import on_disk
from pz_tsm_core.sources._partitions import touching
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: Rows that are held in memory as they are written.
BATCH_ROWS = 131_072

#: Bytes of the wanted columns that a group of rows may have in a file: they are held in memory.
LARGEST_GROUP = 2**30


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
        columns = {field.name: ColumnSaid.of(field) for field in catalogue.schema()}
        return Offer(columns=columns, rows=rows, validator=validator,
                     unchanged=validator == ask.known)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring partitions, one file at a time; those that came whole in a former try stay."""
        catalogue = self._open(ask.place.url)
        where, came = catalogue.folder.where, 0
        if catalogue.validator != offer.validator:
            raise passing(Code.SERVICE_INCOMPLETE, where, expected="the one of a moment ago",
                          found="another catalogue under the same address", remedy="try again")
        in_part = ask.wanted.region is not None or ask.wanted.moc
        for name in _chosen(catalogue, ask):
            piece = self._piece(catalogue.folder, name, ask.columns.values(), folder)
            yield piece
            came += piece.rows or 0
            self.reach.tell(where, came, offer.rows, "rows")
            if ask.wanted.rows is not None and came >= ask.wanted.rows and not in_part:
                return

    def _open(self, url: str) -> HatsFolder:
        return open_hats_folder(open_folder(self.reach, url))

    def _piece(self, place: Folder, name: str, columns: Iterable[str], folder: Path) -> Piece:
        if isinstance(place, RemoteFolder):
            path = folder / name.rpartition("dataset/")[2].replace("/", "-")
            self._bring(place.open(name), columns, path)
        else:
            path = Path(place.where) / name
        with sound(f"{place.where}/{name}"):
            rows = pq.read_metadata(path).num_rows
        return Piece(path, "parquet", rows=rows, lent=isinstance(place, LocalFolder))

    def _bring(self, there: Ranges, columns: Iterable[str], target: Path) -> None:
        """Write the wanted columns of a file into one here, if that has not been done."""
        part, edition = Part(target, there.url), Edition(etag=there.validator, bytes=there.size)
        if part.whole == edition:
            return
        part.begin(edition)
        with sound(there.where), on_disk(target):
            _copy_columns(there, {name.lower() for name in columns}, part.path)
            part.finish()


def _chosen(catalogue: HatsFolder, ask: Ask) -> Iterator[str]:
    """Names of the files that may hold rows of what is wanted."""
    said = catalogue.layout.properties
    # Positions from other columns, or of another kind, may lie in partitions farther away.
    if ask.position != (said.ra_column, said.dec_column):
        return catalogue.files(catalogue.layout.pixels)
    return catalogue.files(touching(catalogue.layout.pixels, ask.wanted))


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
