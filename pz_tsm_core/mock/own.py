"""A table such as somebody has of their own: a few of the mock's redshifts, in other words."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pz_tsm_core.mock.spec import MockPaths

#: Of the measurements in the footprint that have a redshift, every so many is taken.
_EVERY = 10
#: Error of a redshift over 1 + z.
_ERROR = 2e-4


def write_own_table(paths: MockPaths) -> None:
    """Write `my_redshifts.csv` beside the surveys, unless something of that name is there."""
    file = paths.root / "my_redshifts.csv"
    if file.exists():
        return
    known = pq.read_table(paths.truth_measurements, filters=(
        pc.is_valid(pc.field("z")) & pc.is_valid(pc.field("objectId"))))
    few = known.sort_by([("survey", "ascending"), ("row", "ascending")]).take(
        list(range(0, len(known), _EVERY)))
    z = pc.round(few["z"], 4)
    pyarrow.csv.write_csv(pa.table({
        "Object": [f"KPNO-{number:04d}" for number in range(1, len(few) + 1)],
        "RAJ2000": pc.round(few["ra"], 6), "DEJ2000": pc.round(few["dec"], 6),
        "zbest": z, "e_zbest": pc.round(pc.multiply(_ERROR, pc.add(1, pc.abs(z))), 6),
        "Conf": few["quality"],
    }), file)
