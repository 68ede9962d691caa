"""A match of a table with a catalogue; as a program, in a process of its own as `tsm` runs it."""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.cli.entry import told_plainly
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky import cluster
from pz_tsm_core.sky.nearest import match_tables
from pz_tsm_core.sky.objects import open_objects

#: Dask takes no less than five seconds for silence; left alone, ours are thirty.
SILENCE = "1s"


def matched(left: pa.Table, catalog: str, policy: ClusterPolicy) -> pa.Table:
    """Ids and values of the objects near each row, and how near."""
    parts = [
        mine.select(["row_id"]).append_column("id", theirs["id"])
        .append_column("value", theirs["value"])
        .append_column("separation", pa.array(separation, from_pandas=True))
        for mine, theirs, separation in match_tables(
            left, open_objects(catalog), ra="ra", dec="dec", columns=["id", "value"],
            id_column="id", radius_arcsec=1.0, how="left", cluster=policy)
    ]
    return pa.concat_tables(parts).combine_chunks()


def main() -> None:
    """Arguments: file of the rows, catalogue, policy as JSON, file for the matches."""
    left, catalog, policy, target = sys.argv[1:]
    cluster.SILENCE = SILENCE
    pq.write_table(matched(pq.read_table(left), catalog,
                           ClusterPolicy.model_validate_json(policy)), target)


if __name__ == "__main__":
    told_plainly(main)
