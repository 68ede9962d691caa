"""Time `tsm mock` against the floor of only writing what it makes: `make bench-mock`.

One JSON object on a line. Floor: the object partitions read once and written again with the same
Parquet settings, one after the other, by pyarrow. CPU is that of the process and its children.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

OBJECTS, REDSHIFTS = 10_000_000, 300_000


def main() -> None:
    """Make the large mock sky in a temporary folder and print the figures."""
    tsm = Path(sys.executable).with_name("tsm")
    with tempfile.TemporaryDirectory() as folder:
        sky = Path(folder) / "sky"
        sizes = ["--objects", str(OBJECTS), "--redshifts", str(REDSHIFTS)]
        began = time.monotonic()
        subprocess.run([tsm, "mock", sky, *sizes], check=True, stdout=subprocess.DEVNULL)
        wall = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        floor_cpu, floor_wall = _write_again(sky / "object_collection" / "object" / "dataset")
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({
        "work": "mock", "rows": OBJECTS + REDSHIFTS, "ours_cpu_s": round(cpu, 1),
        "ours_wall_s": round(wall, 1), "ours_rss_gb": round(used.ru_maxrss / 2**20, 2),
        "rival": "pyarrow rewriting the partitions", "rival_cpu_s": round(floor_cpu, 1),
        "rival_wall_s": round(floor_wall, 1), "ratio": round(cpu / floor_cpu, 2),
    }))


def _write_again(dataset: Path) -> tuple[float, float]:
    began, cpu = time.monotonic(), time.process_time()
    for file in sorted(dataset.rglob("Npix=*.parquet")):
        table = pq.read_table(file, partitioning=None)
        pq.write_table(table, dataset / "again.parquet", compression="zstd", compression_level=3,
                       write_page_checksum=True)
    return time.process_time() - cpu, time.monotonic() - began


if __name__ == "__main__":
    main()
