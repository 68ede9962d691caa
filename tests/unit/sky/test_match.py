"""The match against LSDB's own expected tables, brute force over borders, and refusals."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import GALAXY_SCHEMA
from pz_tsm_core.sky.catalog import open_catalog, pin_catalog
from pz_tsm_core.sky.match import crossmatch, match_galaxies
from pz_tsm_core.sky.neighbors import find_neighbors
from pz_tsm_core.sky.objects import open_objects
from pz_tsm_core.sky.wrap import import_lsdb
from pz_tsm_core.sky.write import write_table_as_collection

PLAIN = Release.model_validate({
    "schema": 1, "key": "plain", "name": "plain", "id": "id", "ra": "ra", "dec": "dec",
    "bands": ["i"], "flux_unit": "nJy", "flux_types": {"psf": {"flux": "{b}", "err": "{b}e"}},
    "primary_filter": None, "ebv": None, "extendedness": None, "data_rights": None,
})


#: The range join, and LSDB's own crossmatch: what holds for one holds for the other.
BOTH = pytest.mark.parametrize("engine", ["range", "lsdb"])


def _galaxies(galaxy_id, ra, dec) -> pa.Table:
    """A table of galaxies of which only id and position matter."""
    n = len(ra)
    constants = {"survey": "s", "release": "r", "native_key": "k", "object_class": "galaxy",
                 "instrument_type": "s"}
    columns = []
    for field in GALAXY_SCHEMA:
        if field.name in ("galaxy_id", "row_id"):
            values = galaxy_id
        elif field.name in ("ra", "dec"):
            values = {"ra": ra, "dec": dec}[field.name]
        elif pa.types.is_string(field.type):
            values = [constants.get(field.name)] * n
        else:
            values = [0] * n
        columns.append(pa.array(values).cast(field.type))
    return pa.table(columns, schema=GALAXY_SCHEMA)


def _match(galaxies: pa.Table, catalog: Path, *, cluster: ClusterPolicy | None = None,
           release: Release = PLAIN, columns: tuple[str, ...] = (), **policy) -> pa.Table:
    return match_galaxies(
        galaxies, open_objects(str(catalog)), release=release, columns=columns,
        policy=MatchPolicy(**policy), cluster=cluster or ClusterPolicy(workers=2),
    )


@BOTH
def test_nearest_objects_are_those_that_lsdb_expects(shared_data, tmp_path, engine) -> None:
    """Its own small_sky x small_sky_xmatch at 0.01 degrees (BSD-3, from its test data)."""
    lsdb = shared_data / "lsdb"
    small = pq.read_table(lsdb / "small_sky_order1_collection" / "small_sky_order1" / "dataset",
                          columns=["id", "ra", "dec"], partitioning=None)
    # Their catalogue and its margin lie apart; a collection joins them.
    collection = tmp_path / "collection"
    shutil.copytree(lsdb / "small_sky_xmatch", collection / "small_sky_xmatch")
    shutil.copytree(lsdb / "small_sky_xmatch_margin", collection / "small_sky_xmatch_margin")
    (collection / "collection.properties").write_text(
        "obs_collection=small\nhats_primary_table_url=small_sky_xmatch\n"
        "all_margins=small_sky_xmatch_margin\ndefault_margin=small_sky_xmatch_margin\n")
    galaxies = _galaxies(small["id"], small["ra"], small["dec"])
    matched = _match(galaxies, collection, radius_arcsec=36, unique=False, engine=engine)
    with (lsdb / "expected" / "xmatch_correct.csv").open() as file:
        expected = {int(float(row["ss_id"])): (int(float(row["xmatch_id"])), float(row["dist"]))
                    for row in csv.DictReader(file)}
    found = dict(zip(matched["galaxy_id"].to_pylist(), matched["id"].to_pylist(), strict=True))
    assert found == {galaxy: pair[0] for galaxy, pair in expected.items()}
    distance = {galaxy: pair[1] * 3600 for galaxy, pair in expected.items()}
    assert matched["separation"].to_pylist() == pytest.approx(
        [distance[galaxy] for galaxy in found], rel=1e-6)


def _sky_around_a_border(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Positions on both sides of a corner where four base pixels meet, and across RA 0."""
    rng = np.random.default_rng(11)
    ra = np.concatenate([45 + rng.normal(scale=0.004, size=n // 2),
                         rng.normal(scale=0.004, size=n // 2) % 360])
    return ra, rng.normal(scale=0.004, size=n)


@pytest.mark.parametrize(("rows_per_partition", "cluster"), [
    (10_000, ClusterPolicy(workers=1)),
    (25, ClusterPolicy(workers=2)),
    (25, ClusterPolicy(kind="local", workers=1)),
])
@BOTH
def test_no_pair_is_lost_at_a_border(tmp_path, rows_per_partition, cluster, engine) -> None:
    ra, dec = _sky_around_a_border()
    rng = np.random.default_rng(12)
    objects = pa.table({
        "id": pa.array(np.arange(len(ra)) + 10**15),
        "ra": (ra + rng.normal(scale=0.3 / 3600, size=len(ra))) % 360,
        "dec": dec + rng.normal(scale=0.3 / 3600, size=len(ra)),
    })
    catalog = tmp_path / "objects"
    write_table_as_collection(objects, catalog, "objects", rows_per_partition=rows_per_partition)
    galaxies = _galaxies(np.arange(len(ra)), ra, dec)
    matched = _match(galaxies, catalog, radius_arcsec=1.0, unique=False, cluster=cluster,
                     engine=engine)
    ours = SkyCoord(ra, dec, unit="deg")
    theirs = SkyCoord(objects["ra"].to_numpy(), objects["dec"].to_numpy(), unit="deg")
    first, second, separation, _ = search_around_sky(ours, theirs, 1.0 * u.arcsec)
    nearest = {}
    for pair in sorted(zip(first, separation.arcsec, second, strict=True)):
        nearest.setdefault(int(pair[0]), int(pair[2]) + 10**15)
    found = dict(zip(matched["galaxy_id"].to_pylist(), matched["id"].to_pylist(), strict=True))
    assert found == nearest


@pytest.fixture
def objects(tmp_path) -> Path:
    table = pa.table({"id": pa.array([1, 2]), "ra": [10.0, 10.1], "dec": [0.0, 0.1]})
    write_table_as_collection(table, tmp_path / "objects", "objects", margin_arcsec=2.0)
    return tmp_path / "objects"


@pytest.mark.parametrize("galaxy", [
    (200.0, -45.0),  # another part of the sky
    (10.05, 0.05),  # between the objects
])
@BOTH
def test_a_match_of_nothing_is_refused(objects, galaxy, engine) -> None:
    galaxies = _galaxies([1], [galaxy[0]], [galaxy[1]])
    with pytest.raises(TsmError) as refused:
        _match(galaxies, objects, radius_arcsec=1.0, engine=engine)
    assert refused.value.codes == (Code.MATCH_EMPTY,)


@pytest.mark.parametrize("margin", [None, 2.0])
def test_only_lsdb_needs_a_margin_as_wide_as_the_radius(tmp_path, margin) -> None:
    table = pa.table({"id": pa.array([1]), "ra": [10.0], "dec": [0.0]})
    write_table_as_collection(table, tmp_path / "bare", "bare", margin_arcsec=margin)
    galaxies = _galaxies([7], [10.0], [0.0])
    with pytest.raises(TsmError) as refused:
        _match(galaxies, tmp_path / "bare", radius_arcsec=3.0, engine="lsdb")
    assert refused.value.codes == (Code.CATALOG_MARGIN,)
    assert _match(galaxies, tmp_path / "bare", radius_arcsec=3.0)["id"].to_pylist() == [1]


def test_every_missing_column_of_a_catalogue_is_named(objects, tmp_path) -> None:
    lsdb = import_lsdb()
    with pytest.raises(TsmError) as refused:
        open_catalog(lsdb, objects, ["id", "i_cModelFlux", "decc"])
    assert refused.value.codes == (Code.CATALOG_COLUMN, Code.CATALOG_COLUMN)
    assert "did you mean `dec`?" in str(refused.value)


def test_columns_that_galaxies_bring_along_never_shadow_those_of_objects(objects, tmp_path) -> None:
    galaxies = _galaxies([7], [10.0], [0.0])
    extra = galaxies.append_column("id", pa.array([99])).append_column(
        "separation", pa.array([5.0]))
    matched = _match(extra, objects)
    assert matched["id"].to_pylist() == [1]
    assert matched["separation"].to_pylist() == [0.0]


@BOTH
def test_an_id_that_stands_on_several_objects_gives_one_row(tmp_path, engine) -> None:
    table = pa.table({"id": pa.array([7, 7, 7]), "ra": [10.0002, 10.0, 10.0001],
                      "dec": [0.0, 0.0, 0.0]})
    write_table_as_collection(table, tmp_path / "objects", "objects")
    matched = _match(_galaxies([1], [10.0], [0.0]), tmp_path / "objects", engine=engine)
    assert len(matched) == 1
    assert matched["separation"].to_pylist() == [0.0]


@pytest.mark.parametrize("ids", [
    pa.array(["a", "b"]), pa.array([1, 2**63 + 1], pa.uint64()), pa.array([None, 2]),
])
def test_object_ids_that_cannot_serve_are_refused(tmp_path, ids) -> None:
    table = pa.table({"id": ids, "ra": [10.0, 10.1], "dec": [0.0, 0.0]})
    write_table_as_collection(table, tmp_path / "objects", "objects")
    with pytest.raises(TsmError) as refused:
        _match(_galaxies([1], [10.0], [0.0]), tmp_path / "objects")
    assert refused.value.codes == (Code.TABLE_COLUMN_TYPE,)


def _flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"PAR1") + 60] ^= 1  # in the first page
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [
    Path.unlink, lambda file: file.write_bytes(b"PAR1"), _flip_a_bit,
])
def test_a_damaged_partition_is_told_as_such(objects, tmp_path, damage) -> None:
    for file in objects.glob("objects/dataset/Norder*/**/*.parquet"):
        damage(file)
    with pytest.raises(TsmError) as refused:
        _match(_galaxies([1], [10.0], [0.0]), objects)
    assert refused.value.codes == (Code.CATALOG_INVALID,)


def test_a_margin_alone_is_no_catalogue_to_match_with(objects, tmp_path) -> None:
    (margin,) = objects.glob("objects_*")
    with pytest.raises(TsmError) as refused:
        _match(_galaxies([1], [10.0], [0.0]), margin)
    assert refused.value.codes == (Code.CATALOG_INVALID,)


@BOTH
def test_rows_that_are_not_primary_are_no_counterparts(tmp_path, engine) -> None:
    table = pa.table({"id": pa.array([1, 2]), "ra": [10.0, 10.0001], "dec": [0.0, 0.0],
                      "primary": [False, True]})
    write_table_as_collection(table, tmp_path / "objects", "objects")
    release = PLAIN.model_copy(update={"primary_filter": "primary"})
    matched = _match(_galaxies([7], [10.0], [0.0]), tmp_path / "objects", release=release,
                     columns=("primary",), engine=engine)
    assert matched["id"].to_pylist() == [2]
    assert matched["n_candidates"].to_pylist() == [1]


def test_what_is_no_catalogue_is_refused(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(TsmError) as refused:
            pin_catalog(path)
        assert refused.value.codes == (Code.CATALOG_INVALID,)


def test_a_pin_follows_the_content_and_not_the_place(objects, tmp_path) -> None:
    pin = pin_catalog(objects)
    shutil.copytree(objects, tmp_path / "copy")
    assert pin_catalog(tmp_path / "copy") == pin
    (tmp_path / "copy" / "more.parquet").write_bytes(b"1")
    assert pin_catalog(tmp_path / "copy") != pin


def test_a_pin_sees_through_linked_folders(objects, tmp_path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in objects.iterdir():
        (linked / path.name).symlink_to(path)
    pin = pin_catalog(linked)
    for file in objects.glob("objects/dataset/Norder*/**/*.parquet"):
        file.write_bytes(b"other")
    assert pin_catalog(linked) != pin


def test_a_catalogue_that_changed_since_its_neighbours_were_found_is_refused(objects) -> None:
    """As large as before, its rows in another order: fluxes would be those of other objects."""
    galaxies = _galaxies([7, 8], [10.0, 10.1], [0.0, 0.1])

    def source(names):
        yield galaxies.select(list(names))

    chosen = {"release": PLAIN, "policy": MatchPolicy(), "cluster": ClusterPolicy()}
    found = find_neighbors(source, open_objects(str(objects)), **chosen)
    for file in objects.glob("objects/dataset/Norder*/**/*.parquet"):
        table = pq.read_table(file, partitioning=None)
        pq.write_table(table.take(pa.array(range(len(table))[::-1])), file)
    matched = crossmatch(source, open_objects(str(objects)), found.table, columns=(),
                         n_galaxies=2, **chosen)
    with pytest.raises(TsmError) as refused:
        list(matched.batches)
    assert refused.value.codes == (Code.CATALOG_INVALID,)
