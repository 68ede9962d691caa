"""TEMPORARY: stands for `sky.objects` and `sky.nearest` until they are here, by brute force.

Delete this file and import `Objects`, `open_objects` from `pz_tsm_core.sky.objects` and
`match_tables` from `pz_tsm_core.sky.nearest` where it is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.hats_layout import read_layout
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky.read import read_hats


@dataclass(frozen=True)
class Objects:
    """A HATS catalogue of objects: all columns as stored, those of the position, and its rows."""

    path: Path
    schema: pa.Schema
    ra: str
    dec: str
    rows: int | None


def open_objects(path: str | Path) -> Objects:
    """Open a HATS catalogue or collection."""
    layout = read_layout(Path(path), str(path))
    partition = Path(path) / layout.partition(layout.pixels[0])
    told = layout.properties
    return Objects(Path(path), pq.read_schema(partition), told.ra_column, told.dec_column,
                   told.total_rows)


def match_tables(
    left: pa.Table, objects: Objects, *, ra: str, dec: str, columns: Sequence[str],
    radius_arcsec: float, min_radius_arcsec: float = 0.0, n_neighbors: int = 1,
    how: Literal["inner", "left"] = "inner",
    cluster: ClusterPolicy = ClusterPolicy(),  # noqa: ARG001, B008
) -> Iterator[tuple[pa.Table, pa.Table, npt.NDArray[np.float64]]]:
    """Rows of `left` in the order of its sky, the objects near each, and their separations."""
    from astropy import units
    from astropy.coordinates import SkyCoord, search_around_sky

    from pz_tsm_core.sphere import spatial_index

    assert how == "inner"  # noqa: S101
    wanted = list(dict.fromkeys((*columns, objects.ra, objects.dec)))
    right = read_hats(objects.path, wanted)
    sky = [SkyCoord(np.asarray(table[a], float), np.asarray(table[d], float), unit="deg")
           for table, a, d in ((left, ra, dec), (right, objects.ra, objects.dec))]
    one, other, apart, _ = search_around_sky(*sky, radius_arcsec * units.arcsec)
    apart = apart.arcsec
    far = apart >= min_radius_arcsec
    one, other, apart = one[far], other[far], apart[far]
    rank = np.empty(len(left), np.int64)
    along = np.argsort(spatial_index(left[ra], left[dec]), kind="stable")
    rank[along] = np.arange(len(left))
    order = np.lexsort((other, apart, rank[one]))
    one, other, apart = one[order], other[order], apart[order]
    first = np.searchsorted(rank[one], rank[one], side="left")
    near = np.arange(len(one)) - first < n_neighbors
    yield (left.take(pa.array(one[near])), right.select(list(columns)).take(pa.array(other[near])),
           apart[near])
