"""HATS as the library uses it, and what a catalogue in that form says of itself.

HATS compiles three loops over pixels when they are first called, 7 to 10 s in every process, and
decides so on import. As plain Python they take milliseconds: it is imported here with numba's
compilation off, which stays on for everybody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numba

from pz_tsm_core.errors import Code, TsmError, refuse

_wanted = numba.config.DISABLE_JIT
numba.config.DISABLE_JIT = True
try:
    import hats
    import hats.catalog.dataset.collection_properties
    import hats.io.skymap
    import hats.pixel_math.spatial_index
finally:
    numba.config.DISABLE_JIT = _wanted

__all__ = ["COLLECTION", "PARTITIONS", "PROPERTIES", "Layout", "hats", "invalid", "primary_of",
           "read_layout"]

COLLECTION, PARTITIONS = "collection.properties", "partition_info.csv"
PROPERTIES = ("hats.properties", "properties")

#: Kinds of catalogue whose rows are sources on the sky, each once.
KINDS = ("object", "source")

#: Partitions of one order that lie in one folder.
PER_FOLDER = 10_000

#: Endings of partitions: a file's, or `/` for a folder of files.
_SUFFIX = re.compile(r"/|(\.\w+)+")


@dataclass(frozen=True)
class Layout:
    """What a catalogue says of itself.

    Parameters
    ----------
    primary : the catalogue below the folder that was named: of a collection the one that it
        names, else `.`
    properties : of that catalogue
    pixels : of its partitions, in the order of the sky; `order`, and `pixel` in nested numbering
    """

    primary: PurePosixPath
    properties: Any
    pixels: tuple[Any, ...]

    @property
    def in_folders(self) -> bool:
        """Whether a partition is a folder of files."""
        return str(self.properties.npix_suffix) == "/"

    def partition(self, pixel: Any) -> PurePosixPath:
        """File or folder of a partition, below the folder that was named.

        As `hats.io.paths.pixel_catalog_file`, which takes half a millisecond for each.
        """
        order, number = int(pixel.order), int(pixel.pixel)
        folder = f"Norder={order}/Dir={number // PER_FOLDER * PER_FOLDER}"
        ending = "" if self.in_folders else self.properties.npix_suffix
        return self.primary / "dataset" / folder / f"Npix={number}{ending}"


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
        properties = hats.catalog.TableProperties.read_from_dir(folder)
        if properties.catalog_type not in KINDS:
            raise invalid(where, f"a catalogue of the kind `{properties.catalog_type}`",
                          f"one of the kinds {', '.join(KINDS)}")
        if not _SUFFIX.fullmatch(properties.npix_suffix):
            raise invalid(where, f"partitions that end in `{properties.npix_suffix}`",
                          "an ending such as .parquet")
        if not (folder / PARTITIONS).is_file():
            raise invalid(where, f"no {PARTITIONS}", "a list of its partitions")
        pixels = hats.catalog.PartitionInfo.read_from_dir(folder).get_healpix_pixels()
        return Layout(primary, properties, _once(pixels, where))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise invalid(where, " ".join(str(error).split()), "a catalogue that hats can open"
                      ) from None


def primary_of(root: Path, where: str) -> PurePosixPath:
    """Folder of the catalogue itself: of a collection the one that it names, inside it; else `.`.

    Raises
    ------
    TsmError
        `catalog.invalid` for a name that leads out.
    """
    if not (root / COLLECTION).is_file():
        return PurePosixPath()
    collection = hats.catalog.dataset.collection_properties.CollectionProperties
    named = str(collection.read_from_dir(root).hats_primary_table_url)
    path = PurePosixPath(named)
    if path.is_absolute() or ".." in path.parts or ":" in named:
        raise invalid(where, f"the primary table `{named}`", "a folder inside the collection")
    return path


def _once(pixels: list[Any], where: str) -> tuple[Any, ...]:
    """The pixels, each on the sphere and listed once."""
    for pixel in pixels:
        if not 0 <= int(pixel.pixel) < 12 * 4 ** int(pixel.order):
            raise invalid(where, f"the partition {pixel}", "a pixel of HEALPix")
    if len(set(pixels)) < len(pixels):
        raise invalid(where, f"a partition twice in {PARTITIONS}", "every partition once")
    return tuple(pixels)


def invalid(where: str, found: str, expected: str) -> TsmError:
    """The error for what is no catalogue, or one that contradicts itself."""
    return refuse(Code.CATALOG_INVALID, where, found=found, expected=expected,
                  remedy="check the copy, or make it again with hats-import")
