"""What a catalogue in the form of HATS says of itself, and where its partitions lie.

It is read from the files themselves, for the library hats takes two seconds to import
(`hats_library`): properties as Java writes them, and the list of partitions, a CSV file.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jproperties import Properties
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.sphere import INDEX_ORDER, Tile

COLLECTION, PARTITIONS = "collection.properties", "partition_info.csv"
PROPERTIES = ("hats.properties", "properties")

#: Kinds of catalogue whose rows are sources on the sky, each once.
KINDS = ("object", "source")

#: Partitions of one order that lie in one folder.
PER_FOLDER = 10_000

#: Endings of partitions: a file's, or `/` for a folder of files.
_SUFFIX = re.compile(r"/|(\.\w+)+")


class CatalogProperties(BaseModel):
    """The properties that are read here; there are more, which are left alone."""

    model_config = ConfigDict(frozen=True)

    catalog_name: str = Field(alias="obs_collection")
    catalog_type: str = Field(alias="dataproduct_type")
    total_rows: int | None = Field(default=None, alias="hats_nrows")
    ra_column: str = Field(alias="hats_col_ra")
    dec_column: str = Field(alias="hats_col_dec")
    healpix_column: str | None = Field(default=None, alias="hats_col_healpix")
    healpix_order: int | None = Field(default=None, alias="hats_col_healpix_order")
    npix_suffix: str = Field(default=".parquet", alias="hats_npix_suffix")
    default_columns: tuple[str, ...] | None = Field(default=None, alias="hats_cols_default")

    @field_validator("default_columns", mode="before")
    @classmethod
    def _divided(cls, said: str) -> list[str]:
        """Names stand with spaces, commas or semicolons between them."""
        return re.split(r"[;,\s]+", said.strip())


@dataclass(frozen=True)
class Layout:
    """What a catalogue says of itself.

    Parameters
    ----------
    primary : the catalogue below the folder that was named: of a collection the one that it
        names, else `.`
    properties : of that catalogue
    pixels : of its partitions, in the order of the sky
    """

    primary: PurePosixPath
    properties: CatalogProperties
    pixels: tuple[Tile, ...]

    @property
    def in_folders(self) -> bool:
        """Whether a partition is a folder of files."""
        return self.properties.npix_suffix == "/"

    def partition(self, pixel: Tile) -> PurePosixPath:
        """File or folder of a partition, below the folder that was named."""
        folder = f"Norder={pixel.order}/Dir={pixel.pixel // PER_FOLDER * PER_FOLDER}"
        ending = "" if self.in_folders else self.properties.npix_suffix
        return self.primary / "dataset" / folder / f"Npix={pixel.pixel}{ending}"


def read_layout(root: Path, where: str) -> Layout:
    """Read properties and list of partitions of a catalogue, or of the primary one of a collection.

    Nothing that they say leads out of the folder.

    Parameters
    ----------
    where : the catalogue, for people

    Raises
    ------
    TsmError
        `catalog.invalid` for what is none, and for margins, indexes and associations.
    """
    try:
        primary = primary_of(root, where)
        folder = root / primary
        properties = _properties_of(folder, where)
        if not _SUFFIX.fullmatch(properties.npix_suffix):
            raise invalid(where, f"partitions that end in `{properties.npix_suffix}`",
                          "an ending such as .parquet")
        if not (folder / PARTITIONS).is_file():
            raise invalid(where, f"no {PARTITIONS}", "a list of its partitions")
        with (folder / PARTITIONS).open(encoding="utf-8", newline="") as rows:
            pixels = [Tile(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(rows)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise invalid(where, " ".join(str(error).split()), "a catalogue that hats can open"
                      ) from None
    return Layout(primary, properties, _once(pixels, where))


def _properties_of(folder: Path, where: str) -> CatalogProperties:
    found = [folder / name for name in PROPERTIES if (folder / name).is_file()]
    if not found:
        raise invalid(where, f"no {PROPERTIES[0]}", "a catalogue that says what it is")
    said = _read_properties(found[0])
    kind = said.get("dataproduct_type")
    if kind not in KINDS:
        raise invalid(where, f"a catalogue of the kind `{kind}`",
                      f"one of the kinds {', '.join(KINDS)}")
    return CatalogProperties.model_validate(said)


def _read_properties(file: Path) -> dict[str, str]:
    """Keys and values of a file of properties; those without a value say nothing."""
    properties = Properties()
    properties.load(file.read_bytes(), "utf-8")
    return {key: value for key, value in properties.properties.items() if value}


def primary_of(root: Path, where: str) -> PurePosixPath:
    """Folder of the catalogue itself: of a collection the one that it names, inside it; else `.`.

    Raises
    ------
    TsmError
        `catalog.invalid` for a name that leads out.
    """
    if not (root / COLLECTION).is_file():
        return PurePosixPath()
    named = _read_properties(root / COLLECTION).get("hats_primary_table_url", "")
    if not named:
        raise invalid(where, f"a {COLLECTION} without hats_primary_table_url",
                      "a collection that names its catalogue")
    path = PurePosixPath(named)
    if path.is_absolute() or ".." in path.parts or ":" in named:
        raise invalid(where, f"the primary table `{named}`", "a folder inside the collection")
    return path


def _once(pixels: list[Tile], where: str) -> tuple[Tile, ...]:
    """The pixels in the order of the sky, each on the sphere and listed once."""
    for pixel in pixels:
        if not (0 <= pixel.order <= INDEX_ORDER and 0 <= pixel.pixel < 12 * 4**pixel.order):
            raise invalid(where, f"the partition Order: {pixel.order}, Pixel: {pixel.pixel}",
                          "a pixel of HEALPix")
    if len(set(pixels)) < len(pixels):
        raise invalid(where, f"a partition twice in {PARTITIONS}", "every partition once")
    return tuple(sorted(pixels, key=lambda pixel: pixel.range_at(INDEX_ORDER)))


def invalid(where: str, found: str, expected: str) -> TsmError:
    """The error for what is no catalogue, or one that contradicts itself."""
    return refuse(Code.CATALOG_INVALID, where, found=found, expected=expected,
                  remedy="check the copy, or make it again with hats-import")
