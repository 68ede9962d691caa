"""Time the match against the ways of others: `make bench-match`.

One JSON object a line; each way is a process of its own. CPU is that of its tree: after imports,
and whole (`ours_cpu_s` + `ours_imports_cpu_s`). `equal` says whether both found the same pairs.

    python bench/match.py [PART ...] [--data FOLDER]

rivals     300,000 redshifts, 10 million objects, 17 columns: LSDB, DuckDB, astropy, STILTS, and
           reading these columns alone
catalog    the same match as an LSDB catalogue, against LSDB's own and against the bare match
few        3,000 redshifts, at random over the sky and from one survey, against the 300,000
sizes      10^3 to 10^7 redshifts against LSDB
end        `tsm match` of an existing configuration on the same sky, against what the existing
           Training Set Maker needed for match and split alone
pixels     a catalogue of 25,000 partitions, and a tenth of it: planning and matching

Without a part all are done. The mock sky is made once in --data, else in a temporary folder.
DuckDB and STILTS are compared with where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from apart import apart, tell
from match_ways import COLUMNS, fits_of, partitions

from pz_tsm_core.sky.write import write_table_as_collection

WAYS = str(Path(__file__).with_name("match_ways.py"))
OBJECTS, REDSHIFTS = 10_000_000, 300_000
FEW = 3_000
EXISTING = "the existing Training Set Maker, match and split alone, measured once"
PIXELS, POSITIONS = 25_000, 100_000
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
#: Rival -> what its CPU or wall must be, in ours: at least for the first three, at most for others.
RIVALS = {"lsdb": "after imports at least 4 CPU, 3 wall; whole process at least 3",
          "duckdb": "at least 1 / 1.2", "astropy": "at least 2", "stilts": "at least 4",
          "floor": "at least 1 / 3"}


def main() -> None:
    """Do the parts that are asked for."""
    options = argparse.ArgumentParser(description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    options.add_argument("--data", type=Path)
    options.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asked.scratch, asked.data = Path(scratch), asked.data or Path(scratch)
        for part in asked.parts:
            PARTS[part](asked)


def _rivals(asked: argparse.Namespace) -> None:
    """Ours against each of the others, ours run anew beside each."""
    redshifts, catalog = _sky(asked.data)
    for rival, wanted in RIVALS.items():
        if lacking := _lacking(rival):
            print(json.dumps({"work": "match", "rival": rival, "skipped": lacking}), flush=True)
            continue
        if rival == "stilts":
            _write_fits(redshifts, catalog)
        out = str(asked.scratch / "out.parquet")
        theirs, own = (_run(way, redshifts, catalog, out) for way in (rival, "ours"))
        _tell("match", own, rival, theirs, wanted=wanted,
              **({"equal": None} if rival == "floor" else {}))


def _catalog(asked: argparse.Namespace) -> None:
    """What it costs to have the match as a catalogue."""
    redshifts, catalog = _sky(asked.data)
    out = str(asked.scratch / "out.parquet")
    own, lsdb, bare = (_run(way, redshifts, catalog, out) for way in ("catalog", "lsdb", "ours"))
    _tell("match as a catalogue", own, "lsdb", lsdb, wanted="whole process at least 3")
    _tell("match as a catalogue", own, "ours, bare", bare)


def _few(asked: argparse.Namespace) -> None:
    """Few redshifts against many: what is paid for the catalogue, and what for each redshift."""
    redshifts, catalog = _sky(asked.data)
    table = pq.read_table(redshifts)
    samples = {"at random": _sample(table, FEW),
               "of one survey": table.filter(pa.compute.equal(table["survey"], "vandels"))[:FEW]}
    out = str(asked.scratch / "out.parquet")
    for name, sample in samples.items():
        file = asked.scratch / "few.parquet"
        pq.write_table(sample, file)
        own, many = (_run("ours", each, catalog, out) for each in (file, redshifts))
        _tell(f"{len(sample)} redshifts {name}", own, "ours, of 300,000", many,
              wanted="at least 3", equal=None)


def _sizes(asked: argparse.Namespace) -> None:
    """Never slower than LSDB, from few redshifts to many."""
    redshifts, catalog = _sky(asked.data)
    table = pq.read_table(redshifts)
    out = str(asked.scratch / "out.parquet")
    for size in asked.sizes:
        file = asked.scratch / f"{size}.parquet"
        pq.write_table(_sample(table, size), file)
        theirs, own = (_run(way, file, catalog, out) for way in ("lsdb", "ours"))
        _tell("match", own, "lsdb", theirs, redshifts=size, wanted="at least 1")


def _end(asked: argparse.Namespace) -> None:
    """From files to a training set, whole process; the rival was measured once."""
    redshifts, catalog = _sky(asked.data)
    config = asked.scratch / "config.yaml"
    config.write_text(yaml.safe_dump(_configuration(redshifts, Path(catalog))))
    own = apart(WAYS, "training set", str(config), str(asked.scratch / "run"))
    _print("files to training set", own, rival=EXISTING, rival_cpu_s=73, rival_wall_s=53,
           times_less_whole_cpu=round(73 / _whole(own), 2), wanted="at least 5")


def _configuration(redshifts: Path, catalog: Path) -> dict[str, Any]:
    """As users of the existing pipeline have them, in the layout of July 2026."""
    fluxes = [f"{band}_cModel{what}" for band in "ugrizy" for what in ("Flux", "FluxErr")]
    return {
        "inputs": {
            "dataset": {"path": str(catalog.parent), "columns": {"id": "objectId"}},
            "specz": [{"path": str(redshifts), "format": "parquet",
                       "columns": {"id": "id", "ra": "ra", "dec": "dec", "z": "z"}}],
        },
        "output_format": "parquet",
        "param": {
            "crossmatch": {"radius_arcsec": 1.0, "n_neighbors": 1},
            "train_fraction": 0.7, "random_seed": 42,
            "hats_config": {
                "input": {
                    "catalog_folder": catalog.name, "ra_col": "coord_ra", "dec_col": "coord_dec",
                    "user_selected_cols": ["objectId", "coord_ra", "coord_dec", "refExtendedness",
                                           *fluxes],
                    "input_col_type": "flux", "compute_magnitude": True,
                    "compute_dereddening": True, "col_pattern": "BAND_cModelFlux",
                    "err_pattern": "BAND_cModelFluxErr", "selected_bands": list("ugrizy")},
                "output": {
                    "col_final_pattern": "BAND_cModelMag_dered",
                    "err_final_pattern": "BAND_cModelMagErr_dered", "mag_offset": 31.4,
                    "A_EBV": {"u": 4.81, "g": 3.64, "r": 2.70, "i": 2.06, "z": 1.58, "y": 1.31}},
                "dust": {"path_to_dustmaps": str(catalog.parent / "dust"), "use_dustmap": "sfd"},
            },
        },
    }


def _pixels(asked: argparse.Namespace) -> None:
    """Planning over few partitions and over many: its memory is one and the same."""
    for pixels in (PIXELS // 10, PIXELS):
        folder = _catalogue_of(asked.data, pixels)
        for way in ("plan", "match", "lsdb"):
            took = apart(WAYS, "pixels", str(folder / "objects"), str(folder / "left.parquet"), way)
            _print(f"{pixels:,} partitions: {way}", took, **took["result"],
                   **({"limit_wall_s": 20} if way == "plan" else {}))


def _catalogue_of(data: Path, partitions: int) -> Path:
    """A catalogue of at least so many partitions over all the sky, made unless it is there."""
    folder = data / f"pixels_{partitions}"
    if not folder.exists():
        random = np.random.default_rng(partitions)
        n = 40 * partitions
        ra, dec = random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))
        left = random.choice(n, POSITIONS, replace=False)
        aside = data / f"pixels_{partitions}.partial"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write_table_as_collection(pa.table({"id": np.arange(n), "ra": ra, "dec": dec}),
                                  aside / "objects", "objects", rows_per_partition=60)
        pq.write_table(pa.table({"id": left, "ra": ra[left], "dec": dec[left]}),
                       aside / "left.parquet")
        aside.rename(folder)
    return folder


def _run(way: str, redshifts: Path, catalog: str, out: str) -> dict[str, Any]:
    return apart(WAYS, way, str(redshifts), catalog, out)


def _tell(work: str, own: dict[str, Any], rival: str, theirs: dict[str, Any], **more: Any) -> None:
    """Print a line; whole processes beside what they took after their imports."""
    tell(work, own, rival, theirs, ours_whole_cpu_s=_whole(own), rival_whole_cpu_s=_whole(theirs),
         times_less_cpu=round(theirs["cpu_s"] / own["cpu_s"], 2),
         times_less_wall=round(theirs["wall_s"] / own["wall_s"], 2),
         times_less_whole_cpu=round(_whole(theirs) / _whole(own), 2), **more)


def _print(work: str, took: dict[str, Any], **more: Any) -> None:
    """Print a line of what has nothing beside it in the same run."""
    figures = {key: value for key, value in took.items() if key != "result"}
    print(json.dumps({"work": work, **figures, "whole_cpu_s": _whole(took), **more}), flush=True)


def _whole(figures: dict[str, Any]) -> float:
    """CPU of the whole process."""
    return round(figures["cpu_s"] + figures["imports_cpu_s"], 2)


def _lacking(rival: str) -> str:
    """Why a rival cannot be compared with; empty if it can."""
    if rival == "duckdb" and importlib.util.find_spec("duckdb") is None:
        return "not installed: pip install duckdb"
    if rival == "stilts" and shutil.which("stilts") is None:
        return "not installed: apt-get install stilts"
    return ""


def _sample(table: pa.Table, size: int) -> pa.Table:
    """Rows at random; more than there are by placing them anew within 0.2 arcsec, with new ids."""
    random = np.random.default_rng(7)
    if size <= len(table):
        return table.take(pa.array(random.choice(len(table), size, replace=False)))
    grown = table.take(pa.array(random.integers(0, len(table), size)))
    columns = {name: grown[name] for name in grown.column_names}
    for name in ("ra", "dec"):
        columns[name] = pa.array(grown[name].to_numpy() + random.normal(0, 0.1 / 3600, size))
    columns["ra"] = pa.array(columns["ra"].to_numpy() % 360)
    return pa.table({**columns, "id": pa.array(np.arange(size))})


def _sky(data: Path) -> tuple[Path, str]:
    """File of the redshifts and folder of the catalogue, made unless they are there."""
    sky, redshifts = data / "sky", data / "redshifts.parquet"
    if not redshifts.exists():
        tsm = Path(sys.executable).with_name("tsm")
        subprocess.run([tsm, "mock", sky, "--objects", str(OBJECTS), "--redshifts",
                        str(REDSHIFTS)], check=True, stdout=subprocess.DEVNULL)
        truth = pq.read_table(sky / "truth" / "measurements.parquet")
        table = truth.select(["survey", "ra", "dec", "z"])
        pq.write_table(table.add_column(0, "id", pa.array(np.arange(len(table)))), redshifts)
    return redshifts, str(sky / "object_collection")


def _write_fits(redshifts: Path, catalog: str) -> None:
    """What STILTS reads fastest."""
    from astropy.table import Table, vstack

    objects = redshifts.with_name("objects.fits")
    if not objects.exists():
        parts = [Table.from_pandas(pq.ParquetFile(file).read(columns=COLUMNS).to_pandas())
                 for file in partitions(catalog)]
        vstack(parts).write(objects)
        rows = pq.read_table(redshifts, columns=["id", "ra", "dec", "z"])
        Table.from_pandas(rows.to_pandas()).write(fits_of(str(redshifts)))


PARTS = {"rivals": _rivals, "catalog": _catalog, "few": _few, "sizes": _sizes, "end": _end,
         "pixels": _pixels}


if __name__ == "__main__":
    main()
