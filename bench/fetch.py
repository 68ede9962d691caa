"""Time the retrieval of a survey against the bare client of its protocol: `make bench-fetch`.

One JSON object a line: half a million rows, then five million, from the TAP service of the tests
(infra/testing/dachs/serve, which runs as root). Ours ends with a checked artifact in a store; the
rival, pyvo, with an astropy table in memory. Each is a process of its own; CPU is that of it and
its children, memory the largest sum of theirs at a time, beyond what imports take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

SERVER = Path(__file__).parents[1] / "infra" / "testing" / "dachs" / "serve"
URL = "http://127.0.0.1:18942/tap"
HOST = URL.split("/")[2]
COLUMNS = ("id", "RAJ2000", "DEJ2000", "z", "e_z", "q", "flag", "Name", "is_primary")

#: A tenth of the table, and all of it: smallest and largest dec.
SIZES = {"half a million": (-23.0, -10.0), "five million": None}

#: Bytes that are shared are counted in each process; that is more than there are.
SAMPLE_SECONDS = 0.05

SURVEY = f"""\
schema: 1
key: many
ordinal: 1000000
name: Rows of the test server
facility: none
release: R1
year: 2026
sources: [{{service: tap, url: "{URL}", table: pztsm.many}}]
types: {{id: int, RAJ2000: float, DEJ2000: float, z: float, e_z: float, q: int, flag: text,
        Name: text, is_primary: bool}}
columns:
  id: {{from: id}}
  ra: {{from: RAJ2000, unit: deg}}
  dec: {{from: DEJ2000, unit: deg}}
  z: {{from: z}}
  z_err: {{from: e_z}}
  native_flag: {{from: flag}}
  others: [q, Name, is_primary]
quality: {{otherwise: 0, source: made up}}
object_class: {{otherwise: unknown, source: made up}}
instrument_type: {{otherwise: s, source: made up}}
"""


def main() -> None:
    """Fill the server's table and fetch it, in part and whole, in both ways."""
    subprocess.run([SERVER, "many"], check=True)
    for size in SIZES:
        _measure("tap", "pyvo", size)


def _measure(ours: str, rival: str, size: str) -> None:
    rivals, own = _child(rival, size), _child(ours, size)
    equal = own.pop("told") == (told := rivals.pop("told"))
    print(json.dumps({
        "work": f"fetch {ours}", "rows": told["rows"],
        **{f"ours_{key}": value for key, value in own.items()}, "rival": rival,
        **{f"rival_{key}": value for key, value in rivals.items()},
        "ratio": round(own["wall_s"] / rivals["wall_s"], 2), "equal": equal,
    }), flush=True)


def _child(work: str, size: str) -> dict[str, Any]:
    """Wall, CPU and memory of a process that does one thing, after its imports."""
    with subprocess.Popen([sys.executable, __file__, work, size], stdout=subprocess.PIPE,
                          text=True) as process:
        tree = psutil.Process(process.pid)
        process.stdout.readline()  # it has imported what it needs
        before, cpu, began = _memory(tree), _cpu(tree), time.monotonic()
        peak = before
        os.set_blocking(process.stdout.fileno(), False)
        while not (told := process.stdout.readline()):
            assert process.poll() is None, f"{work} failed"
            peak = max(peak, _memory(tree))
            time.sleep(SAMPLE_SECONDS)
        wall, used = time.monotonic() - began, _cpu(tree) - cpu
    return {"wall_s": round(wall, 2), "cpu_s": round(used, 2),
            "rss_above_imports_gb": round((peak - before) / 2**30, 3), "told": json.loads(told)}


def _memory(tree: psutil.Process) -> int:
    """Bytes of the process and its children."""
    total = 0
    for one in (tree, *tree.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _cpu(tree: psutil.Process) -> float:
    times = tree.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def _ours(size: str) -> Callable[[], dict[str, Any]]:
    """What fetches the survey into a store of its own."""
    from pz_tsm_core.model.retrieval import Wanted
    from pz_tsm_core.model.survey import Region
    from pz_tsm_core.remote import Reach
    from pz_tsm_core.retrieval import fetch_survey
    from pz_tsm_core.sources import SERVICES
    from pz_tsm_core.store import open_store
    from pz_tsm_core.surveys.definition import parse_survey

    os.environ["PZ_TSM_ALLOW_HOSTS"] = HOST
    survey, decs = parse_survey(SURVEY, "many.yaml"), SIZES[size]
    SERVICES[survey.sources[0].service]
    wanted = Wanted(region=Region(box=(0, 360, *decs))) if decs else Wanted()

    def fetch() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(folder)
            fetched = fetch_survey(store, survey, wanted, reach=Reach())
            batches = store.batches(fetched.ref, fetched.version.table, ["id", "z", "Name"])
            return _summed({name: batch[name].to_numpy(zero_copy_only=False)
                            for name in batch.schema.names} for batch in batches)

    return fetch


def _pyvo(size: str) -> Callable[[], dict[str, Any]]:
    """What fetches the same rows as the documentation of pyvo says."""
    import pyvo

    words = ", ".join(name if name.islower() else f'"{name}"' for name in COLUMNS)
    decs = SIZES[size]
    where = f' WHERE "DEJ2000" BETWEEN {decs[0]} AND {decs[1]}' if decs else ""

    def fetch() -> dict[str, Any]:
        service = pyvo.dal.TAPService(URL)
        table = service.run_async(f"SELECT {words} FROM pztsm.many{where}",
                                  maxrec=10_000_000).to_table()
        return _summed([{name: np.ma.getdata(table[name]) for name in ("id", "z", "Name")}])

    return fetch


def _summed(parts: Any) -> dict[str, Any]:
    """What equal rows have in common, in whatever order they came."""
    rows = ids = letters = known = 0
    for part in parts:
        rows += len(part["id"])
        ids = (ids + int(part["id"].astype("u8").sum())) % 2**64
        known += int(np.isfinite(part["z"].astype("f4")).sum())
        letters += sum(len((name or "").strip()) for name in part["Name"])
    return {"rows": rows, "ids": ids, "known": known, "letters": letters}


#: The processes: what each does after its imports.
WORKS = {"tap": _ours, "pyvo": _pyvo}


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work = WORKS[sys.argv[1]](sys.argv[2])
        print("ready", flush=True)
        print(json.dumps(work()), flush=True)
    else:
        main()
