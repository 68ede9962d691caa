"""Time combining, from files to HATS and in its parts: `make bench-combine`.

One JSON object a line; each side is a process of its own, CPU is that of its tree after imports.

    python bench/combine.py [PART ...] [--rows N ...] [--positions N ...] [--data FOLDER]

catalogues  `tsm combine` of the 13 catalogues of ../shared, against their published combination
surveys     twelve mock surveys, files to HATS with margin (6.6 million rows, or --rows); a line of
            figures for every stage. Rival: the naive grouping of the same rows, nothing else
grouping    pairs and components of 10^5 to 3x10^7 positions (or --positions) against the naive
            way: one KD-tree over the whole sky. `n_log_n`: CPU over n log n, relative to the first
dense       measurements within a few arcsec against as many over a field: `ratio` is at most 2
same        one worker or two, rows in order or shuffled: `equal` says whether it is one content

Without a part all are done. Survey files are made once in --data, else in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from math import log
from pathlib import Path
from typing import Any

from apart import apart, compare, tell
from combine_ways import crd
from many_surveys import write_surveys

WAYS = str(Path(__file__).with_name("combine_ways.py"))
LINEA = Path(__file__).parents[2] / "shared" / "data" / "linea"
#: Rows -> what they may take: seconds of wall and gigabytes.
LIMITS = {6_600_000: (75, 4), 30_000_000: (360, 8)}
#: Measurements -> arcsec that hold them all, and how often they are combined.
DENSE = {10_000: (5.0, 10), 100_000: (15.0, 1)}
SAME_ROWS = 300_000
NAIVE = "one KD-tree over the whole sky"


def main() -> None:
    """Do the parts that are asked for."""
    options = argparse.ArgumentParser(description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    options.add_argument("--rows", type=int, nargs="+", default=[6_600_000])
    options.add_argument("--positions", type=int, nargs="+",
                         default=[100_000, 1_000_000, 10_000_000, 30_000_000])
    options.add_argument("--data", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asked.scratch, asked.data = Path(scratch), asked.data or Path(scratch)
        for part in asked.parts:
            PARTS[part](asked)


def _catalogues(asked: argparse.Namespace) -> None:
    """The 13 catalogues; what their first run imports, the second has imported before."""
    config = LINEA / "config_13_catalogues.yaml"
    if lacking := _lacking(config):
        print(json.dumps({"work": "13 catalogues", "skipped": lacking}), flush=True)
        return
    first, second, modules = (asked.scratch / name for name in ("first", "second", "modules"))
    for folder in (first, second):
        folder.mkdir()
    told = apart(WAYS, "tsm combine", str(config), str(first))
    modules.write_text("\n".join(told["result"]["modules"]))
    own = apart(WAYS, "tsm combine", str(config), str(second), str(modules))
    del own["result"]["modules"]
    theirs = {"cpu_s": 489, "wall_s": 417, "result": crd(LINEA / "crd_13_catalogues.parquet")}
    tell("13 catalogues", own, "the existing pipeline, measured once with other work beside it",
         theirs, limit_cpu_s=4)


def _lacking(config: Path) -> str:
    """Why the 13 catalogues cannot be combined here; empty if they can."""
    if not config.is_file():
        return f"no {config.name} in ../shared/data/linea beside the checkout"
    tsm = [Path(sys.executable).with_name("tsm"), "combine", "--help"]
    done = subprocess.run(tsm, capture_output=True, check=False)
    return "this version has no command `tsm combine`" if done.returncode else ""


def _surveys(asked: argparse.Namespace) -> None:
    """From files to HATS, for each number of rows."""
    for rows in asked.rows:
        store = str(asked.scratch / f"store_{rows}")
        own = apart(WAYS, "stages", _sky(asked.data, rows), store, "2")
        result = own["result"]
        stages, combined, _ = (result.pop(key) for key in ("stages", "combined", "contents"))
        theirs = apart(WAYS, "naive on store", store, json.dumps(combined))
        limits = dict(zip(("limit_wall_s", "limit_rss_gb"), LIMITS.get(rows, ()), strict=False))
        tell("files to HATS", own, "naive grouping alone", theirs, native_rows=rows, **limits)
        for name, figures in stages.items():
            print(json.dumps({"work": f"files to HATS: {name}", "native_rows": rows, **figures}),
                  flush=True)


def _sky(data: Path, rows: int) -> str:
    """Folder with survey files of so many rows, made unless it is there."""
    folder = data / f"surveys_{rows}"
    if not (folder / "recipe.yaml").exists():
        write_surveys(folder, rows)
    return str(folder)


def _grouping(asked: argparse.Namespace) -> None:
    """Grouping alone, from few positions to many."""
    per_n_log_n: list[float] = []
    for n in asked.positions:
        turns = max(1, 1_000_000 // n)
        own, theirs = (_of_one_turn(apart(WAYS, way, str(n), str(turns)), turns)
                       for way in ("our grouping", NAIVE))
        per_n_log_n.append(own["cpu_s"] / (n * log(n)))
        tell("grouping", own, NAIVE, theirs, n_log_n=round(per_n_log_n[-1] / per_n_log_n[0], 2))


def _of_one_turn(figures: dict[str, Any], turns: int) -> dict[str, Any]:
    return figures | {key: round(figures[key] / turns, 3) for key in ("wall_s", "cpu_s")}


def _dense(_asked: argparse.Namespace) -> None:
    """Dense fields against sparse ones of the same size."""
    for n, (arcsec, turns) in DENSE.items():
        own, theirs = (_of_one_turn(apart(WAYS, way, str(n), str(arcsec), str(turns)), turns)
                       for way in ("a dense field", "a sparse field"))
        for figures in (own, theirs):
            del figures["result"]["digests"]
            assert figures["result"]["as_naive"], "other groups than the naive way finds"
        tell(f"a dense field, within {arcsec:g} arcsec", own, "a sparse field", theirs,
             limit_ratio=2)


def _same(asked: argparse.Namespace) -> None:
    """Whether workers and the order of rows leave the content as it is."""
    compare(WAYS, "shuffled rows", "shuffled", "in order", str(SAME_ROWS))
    sky = _sky(asked.data, SAME_ROWS)
    own, theirs = (apart(WAYS, "stages", sky, str(asked.scratch / f"store_same_{workers}"), workers)
                   for workers in ("2", "1"))
    for figures in (own, theirs):
        del figures["result"]["stages"]
    tell("two workers", own, "one worker", theirs)


PARTS = {"catalogues": _catalogues, "surveys": _surveys, "grouping": _grouping, "dense": _dense,
         "same": _same}


if __name__ == "__main__":
    main()
