"""The YAML in which astropy tells of columns: in ECSV, and beside its tables in HDF5 and Parquet.

Only words are taken from it (ECSV 1.0, APE 6). Where it describes how to build objects of
astropy, nothing is built: a masked column is known by its pair of data and mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code
from pz_tsm_core.model.document import parse_document
from pz_tsm_core.readers.facts import ColumnFacts, described_field
from pz_tsm_core.readers.source import Source

#: Tags under which astropy writes plain mappings and lists.
TAGS = ("!astropy.", "!numpy.", "tag:yaml.org,2002:omap", "tag:yaml.org,2002:python/tuple")

#: `datatype` of single values, and what holds them. Wider floats would lose digits.
TYPES = {
    "bool": pa.bool_(), "string": pa.string(),
    "int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(),
    "uint8": pa.uint8(), "uint16": pa.uint16(), "uint32": pa.uint32(), "uint64": pa.uint64(),
    "float16": pa.float32(), "float32": pa.float32(), "float64": pa.float64(),
}


@dataclass(frozen=True)
class Declared:
    """One column as the header declares it."""

    name: str
    datatype: str
    subtype: str  # of lists and JSON in each row; empty for single values
    unit: str
    ucd: str
    description: str

    @property
    def type(self) -> pa.DataType | None:
        """The type of the column; None when its rows do not hold single values."""
        return None if self.subtype else TYPES.get(self.datatype)

    def field(self, kind: pa.DataType) -> pa.Field:
        """The column as Arrow describes it."""
        return described_field(self.name, kind, self.unit, self.ucd, self.description)

    @property
    def facts(self) -> ColumnFacts:
        """The column as `describe_table` tells of it."""
        kind = self.type or self.subtype or self.datatype
        return ColumnFacts(self.name, str(kind), self.unit, self.ucd, self.description,
                           usable=self.type is not None)


@dataclass(frozen=True)
class Header:
    """What the YAML says.

    Parameters
    ----------
    columns : in the order of the file, columns of masks among them
    masks : name of the column of the mask by name of the masked column
    delimiter : between values, in ECSV
    """

    columns: tuple[Declared, ...]
    masks: dict[str, str]
    delimiter: str

    @property
    def names(self) -> list[str]:
        """Names of the columns that are no masks."""
        masks = set(self.masks.values())
        return [column.name for column in self.columns if column.name not in masks]

    def with_masks(self, names: list[str]) -> list[str]:
        """The columns and the masks that belong to them."""
        return [*names, *(self.masks[name] for name in names if name in self.masks)]

    def without_masks(self, schema: pa.Schema) -> pa.Schema:
        """The schema of what `apply_masks` gives."""
        masks = {mask for name, mask in self.masks.items() if name in schema.names}
        return pa.schema([field for field in schema if field.name not in masks], schema.metadata)

    def apply_masks(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows without their columns of masks: what these mark is null."""
        masks = {name: mask for name, mask in self.masks.items()
                 if {name, mask} <= set(batch.schema.names)}
        for name, mask in masks.items():
            place = batch.schema.get_field_index(name)
            column = batch[name]
            if column.type == pa.string():
                column = column.fill_null("")  # the mask alone says which empty text is missing
            hidden = pc.if_else(batch[mask], pa.scalar(None, column.type), column)
            batch = batch.set_column(place, batch.schema.field(place), hidden)
        return batch.drop_columns(list(masks.values()))


def parse_header(text: str, source: Source) -> Header:
    """Take names, types, units, UCDs and descriptions from the YAML.

    Raises
    ------
    TsmError
        `file.damaged` for what is no such header.
    """
    content = parse_document(text, source.where, code=Code.FILE_DAMAGED, tags=TAGS).content
    columns = content.get("datatype")
    if not isinstance(columns, list) or not columns:
        raise source.damaged("a header that declares no columns")
    return Header(
        tuple(_declared(column, source) for column in columns),
        dict(_masks(content.get("meta"))),
        str(content.get("delimiter", " ")),
    )


def _declared(column: Any, source: Source) -> Declared:
    if not isinstance(column, dict) or not {"name", "datatype"} <= column.keys():
        raise source.damaged(f"a column without name or datatype: {column}")
    meta = _mapping(column.get("meta"))
    subtype, unit, description = (str(column.get(key) or "")
                                  for key in ("subtype", "unit", "description"))
    return Declared(str(column["name"]), str(column["datatype"]), subtype, unit,
                    str(meta.get("ucd") or ""), description)


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping, also one that was written as a list of single pairs (omap)."""
    if isinstance(value, list):
        return {key: item for pair in value if isinstance(pair, dict) for key, item in pair.items()}
    return value if isinstance(value, dict) else {}


def _masks(value: Any) -> Iterator[tuple[str, str]]:
    """All pairs of data and mask, however deep in the description of an object."""
    parts = _mapping(value)
    data, mask = (_mapping(parts.get(key)).get("name") for key in ("data", "mask"))
    if isinstance(data, str) and isinstance(mask, str):
        yield data, mask
    for part in parts.values():
        yield from _masks(part)
