"""The ways in which `bench/match.py` matches: ours, and those of others.

Each reads redshifts (id, ra, dec, z), finds the nearest object within 1 arcsec, and writes a
Parquet file of the pairs with 17 columns of the objects.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apart import Work, be_child

RADIUS_ARCSEC = 1.0
BANDS = "ugrizy"
ID, RA, DEC = "objectId", "coord_ra", "coord_dec"
COLUMNS = [ID, RA, DEC, "ebv", "refExtendedness",
           *(f"{band}_cModel{what}" for band in BANDS for what in ("Flux", "FluxErr"))]
PARQUET = {"compression": "zstd", "compression_level": 3}


def ours(redshifts: str, catalog: str, out: str, workers: str = "2") -> Work:
    """The range join and the payload of what matched, by threads of this process."""
    from pz_tsm_core.model.policy import ClusterPolicy
    from pz_tsm_core.sky.nearest import match_tables
    from pz_tsm_core.sky.objects import open_objects

    def work() -> Iterator[dict[str, Any]]:
        objects = open_objects(catalog)
        parts = match_tables(pq.read_table(redshifts), objects, ra="ra", dec="dec",
                             columns=COLUMNS, radius_arcsec=RADIUS_ARCSEC, id_column=ID,
                             cluster=ClusterPolicy(workers=int(workers)))
        _write(out, (_beside(mine, theirs, separation) for mine, theirs, separation in parts))
        yield {}
        yield pairs_of(out)

    return work


def catalog(redshifts: str, catalog: str, out: str) -> Work:
    """The range join as an LSDB catalogue, on threads; written as `lsdb` writes."""
    from dask import config

    from pz_tsm_core import crossmatch
    from pz_tsm_core.sky.wrap import import_lsdb

    import_lsdb()

    def work() -> Iterator[dict[str, Any]]:
        crossed = crossmatch(pq.read_table(redshifts), catalog, radius_arcsec=RADIUS_ARCSEC,
                                 right_columns=COLUMNS, id_column=ID)
        with config.set(scheduler="threads", num_workers=2):
            frame = crossed.compute(progress_bar=False)
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out, **PARQUET)
        yield {}
        yield pairs_of(out)

    return work


def lsdb(redshifts: str, catalog: str, out: str) -> Work:
    """LSDB's crossmatch on threads, as shipped: what it compiles for itself is its own."""
    import lsdb as library
    from dask import config

    def work() -> Iterator[dict[str, Any]]:
        right = library.open_catalog(catalog, columns=COLUMNS)
        left = library.from_dataframe(pq.read_table(redshifts).to_pandas(), ra_column="ra",
                                      dec_column="dec", margin_threshold=None)
        crossed = left.crossmatch(right, radius_arcsec=RADIUS_ARCSEC, n_neighbors=1,
                                  suffixes=("", "_object"), suffix_method="overlapping_columns",
                                  require_right_margin=True, log_changes=False)
        with config.set(scheduler="threads", num_workers=2):
            frame = crossed.compute(progress_bar=False)
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out, **PARQUET)
        yield {}
        yield pairs_of(out)

    return work


def duckdb(redshifts: str, catalog: str, out: str) -> Work:
    """A join in SQL: each redshift with the nine cells around it, objects by their cell."""
    import cdshealpix
    import duckdb as library
    from astropy.coordinates import Latitude, Longitude

    order = 16
    shift = 2 * (29 - order)

    def work() -> Iterator[dict[str, Any]]:
        table = pq.read_table(redshifts)
        ra, dec = (table[name].to_numpy() for name in ("ra", "dec"))
        cells = cdshealpix.lonlat_to_healpix(Longitude(ra, "deg"), Latitude(dec, "deg"), order)
        around = cdshealpix.neighbours(cells, order).astype(np.int64)
        spread = table.take(pa.array(np.repeat(np.arange(len(table)), 9)))
        near = spread.append_column("cell", pa.array(around.ravel()))
        database = library.connect(config={"threads": 2})
        database.register("near", near)
        files = f"{catalog}/object/dataset/Norder=*/Dir=*/Npix=*.parquet"
        columns = ", ".join(f"o.{name}" for name in COLUMNS)
        haversine = (f"pow(sin(radians(o.{DEC} - n.dec) / 2), 2) + cos(radians(o.{DEC})) * "
                     f"cos(radians(n.dec)) * pow(sin(radians(o.{RA} - n.ra) / 2), 2)")
        database.execute(f"""
            COPY (SELECT n.id, n.ra, n.dec, n.z, {columns},
                         2 * degrees(asin(sqrt({haversine}))) * 3600 AS separation
                  FROM read_parquet('{files}', hive_partitioning=false) o
                  JOIN near n ON o._healpix_29 >> {shift} = n.cell
                  WHERE separation <= {RADIUS_ARCSEC}
                  QUALIFY row_number() OVER (PARTITION BY n.id ORDER BY separation, o.{ID}) = 1)
            TO '{out}' (FORMAT parquet, COMPRESSION zstd)""")
        yield {}
        yield pairs_of(out)

    return work


def astropy(redshifts: str, catalog: str, out: str) -> Work:
    """All objects in memory, and `match_to_catalog_sky`."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    def work() -> Iterator[dict[str, Any]]:
        table = pq.read_table(redshifts)
        objects = pa.concat_tables(_read(file, COLUMNS) for file in partitions(catalog))
        mine, theirs = (SkyCoord(each[ra].to_numpy(), each[dec].to_numpy(), unit=u.deg)
                        for each, ra, dec in ((table, "ra", "dec"), (objects, RA, DEC)))
        found, separation, _ = mine.match_to_catalog_sky(theirs)
        near = np.flatnonzero(separation.arcsec <= RADIUS_ARCSEC)
        _write(out, [_beside(table.take(pa.array(near)), objects.take(pa.array(found[near])),
                             separation.arcsec[near])])
        yield {}
        yield pairs_of(out)

    return work


def stilts(redshifts: str, _catalog: str, out: str) -> Work:
    """STILTS on FITS files that were made before: redshifts, and the objects all in one.

    It writes FITS as well: as Debian has it, it knows no Parquet.
    """
    from astropy.io import fits

    folder = Path(redshifts).parent

    def work() -> Iterator[dict[str, Any]]:
        subprocess.run([
            "stilts", "-Xmx10g", "tskymatch2", f"in1={fits_of(redshifts)}",
            f"in2={folder / 'objects.fits'}", "ra1=ra", "dec1=dec", f"ra2={RA}", f"dec2={DEC}",
            f"error={RADIUS_ARCSEC}", "find=best1", f"out={out}", "ofmt=fits",
        ], check=True, capture_output=True)
        yield {}
        yield _in_common(*(fits.getdata(out, 1)[name].astype("i8") for name in ("id", ID)))

    return work


def floor(_redshifts: str, catalog: str, _out: str) -> Work:
    """Only read the 17 columns of all objects."""
    def work() -> Iterator[dict[str, Any]]:
        rows = sum(len(_read(file, COLUMNS)) for file in partitions(catalog))
        yield {}
        yield {"rows": rows}

    return work


def training_set(config: str, folder: str) -> Work:
    """`tsm match` of an existing configuration: match, deredden, magnitudes, split, Parquet."""
    from pz_tsm_core import training_set_maker

    def work() -> Iterator[dict[str, Any]]:
        done = training_set_maker.run(Path(config), Path(folder))
        yield {}
        yield {"rows": pq.read_metadata(done.product).num_rows}

    return work


def pixels(catalog: str, positions: str, way: str) -> Work:
    """Plan the match of positions with a catalogue of many partitions, and carry it out if ours.

    The way of LSDB is planning alone: opening, and the graph of the crossmatch.
    """
    if way == "lsdb":
        import lsdb as library
    from pz_tsm_core.model.policy import ClusterPolicy
    from pz_tsm_core.sky.cluster import pool_of
    from pz_tsm_core.sky.objects import open_objects
    from pz_tsm_core.sky.pairs import find_pairs, plan_tasks
    from pz_tsm_core.sky.search import Criteria

    criteria = Criteria(RADIUS_ARCSEC, id="id")

    def plan() -> int:
        table = pq.read_table(positions)
        if way == "lsdb":
            right = library.open_catalog(catalog, columns=["id", "ra", "dec"])
            left = library.from_dataframe(table.to_pandas(), ra_column="ra", dec_column="dec",
                                          margin_threshold=None)
            crossed = left.crossmatch(right, radius_arcsec=RADIUS_ARCSEC, log_changes=False,
                                      suffixes=("", "_object"), suffix_method="all_columns")
            return len(crossed.to_delayed())
        objects = open_objects(catalog)
        ra, dec = (table[name].to_numpy() for name in ("ra", "dec"))
        if way == "plan":
            return sum(1 for _ in plan_tasks(ra, dec, objects, criteria))
        with pool_of(ClusterPolicy()) as pool:
            return len(find_pairs(ra, dec, objects, criteria, pool))

    def work() -> Iterator[dict[str, Any]]:
        done = plan()
        yield {}
        yield {"rows": done}

    return work


def pairs_of(file: str) -> dict[str, Any]:
    """What equal matches have in common, in whatever order they come."""
    table = pq.read_table(file, columns=["id", ID])
    return _in_common(*(table[name].to_numpy() for name in ("id", ID)))


def _in_common(mine: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    mixed = mine.astype("u8") * np.uint64(0x9E3779B97F4A7C15) ^ theirs.astype("u8")
    return {"rows": len(mine), "pairs": int(mixed.sum())}


def partitions(catalog: str) -> list[Path]:
    """Files of the catalogue itself, without its margin."""
    return sorted(Path(catalog, "object", "dataset").rglob("Npix=*.parquet"))


def fits_of(redshifts: str) -> Path:
    """Where the redshifts stand as FITS."""
    return Path(redshifts).with_suffix(".fits")


def _read(file: Path, columns: Sequence[str]) -> pa.Table:
    with pq.ParquetFile(file) as parquet:
        return parquet.read(columns=list(columns))


def _beside(mine: pa.Table, theirs: pa.Table, separation: np.ndarray) -> pa.Table:
    columns = {name: column for table in (mine, theirs)
               for name, column in zip(table.column_names, table.columns, strict=True)}
    return pa.table({**columns, "separation": separation})


def _write(out: str, tables: Iterator[pa.Table] | Sequence[pa.Table]) -> None:
    writer = None
    for table in tables:
        writer = writer or pq.ParquetWriter(out, table.schema, **PARQUET)
        writer.write_table(table)
    assert writer, "nothing matched"
    writer.close()


WAYS: dict[str, Callable[..., Work]] = {
    "ours": ours, "catalog": catalog, "lsdb": lsdb, "duckdb": duckdb, "astropy": astropy,
    "stilts": stilts, "floor": floor, "training set": training_set, "pixels": pixels,
}

if __name__ == "__main__":
    be_child(WAYS)
