"""Several objects a galaxy, galaxies without one, and a least radius, from recipe to exports."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky

LEAST, RADIUS, MOST = 0.2, 3.0, 3


@pytest.fixture(scope="module")
def galaxies(mock_run) -> pd.DataFrame:
    return mock_run.table("combine", "galaxies").to_pandas()


@pytest.fixture(scope="module")
def objects(mock_sky) -> pd.DataFrame:
    return pq.read_table(mock_sky.truth_objects).to_pandas()


def _near(galaxies, objects, radius, least=-1.0) -> pd.DataFrame:
    """Every galaxy with every object in reach, by astropy, the nearest first."""
    ours, theirs = (SkyCoord(each.ra.to_numpy(), each.dec.to_numpy(), unit="deg")
                    for each in (galaxies, objects))
    first, second, separation, _ = search_around_sky(ours, theirs, radius * u.arcsec)
    near = pd.DataFrame({"row_id": galaxies.row_id.to_numpy()[first],
                         "objectId": objects.objectId.to_numpy()[second],
                         "separation": separation.arcsec})
    near = near[near.separation > least].sort_values(["row_id", "separation", "objectId"])
    near["match_rank"] = near.groupby("row_id").cumcount() + 1
    return near


def _exported(done) -> pd.DataFrame:
    """The Parquet file; Arrow types, so that an id beside nulls is no float."""
    folder = done.store.directory(done.manifests["export"].ref)
    return pq.read_table(folder / "training_set.parquet").to_pandas(types_mapper=pd.ArrowDtype)


def _rail(done) -> dict[str, np.ndarray]:
    """All parts of the export for RAIL, one after the other."""
    folder = done.store.directory(done.manifests["export"].ref)
    columns: dict[str, list[np.ndarray]] = {}
    for file in sorted(folder.glob("*.hdf5")):
        with h5py.File(file) as opened:
            for name, values in opened["photometry"].items():
                columns.setdefault(name, []).append(values[:])
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _metrics(done) -> dict[tuple[str, str], float]:
    return {(row["name"], row["of"]): row["value"]
            for row in done.table("report", "metrics").to_pylist()}


def _page(done) -> str:
    text = (done.store.directory(done.manifests["report"].ref) / "report.html").read_text("utf-8")
    return " ".join(re.sub(r"<style.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL).split())


@pytest.fixture(scope="module")
def several(run, mock_run, mock_recipe):
    """Up to three objects within a ring, a row for each, and every galaxy there."""
    match = mock_recipe.match.model_copy(update={
        "radius_arcsec": RADIUS, "min_radius_arcsec": LEAST, "n_neighbors": MOST, "unique": False,
        "how": "left"})
    return run(mock_recipe.model_copy(update={"match": match}), mock_run.store)


@pytest.fixture(scope="module")
def left(run, mock_run, mock_recipe):
    """One object a galaxy and one galaxy an object, and every galaxy there."""
    match = mock_recipe.match.model_copy(update={"how": "left"})
    return run(mock_recipe.model_copy(update={"match": match}), mock_run.store)


def test_several_objects_are_a_row_each_and_every_galaxy_is_there(
    several, galaxies, objects
) -> None:
    near = _near(galaxies, objects, RADIUS, LEAST)
    kept = near[near.match_rank <= MOST]
    rows = _exported(several)
    found = rows[rows.objectId.notna()]
    columns = ["row_id", "match_rank", "objectId"]
    assert found[columns].astype("int64").to_numpy().tolist() == (
        kept.set_index("row_id").loc[found.row_id.drop_duplicates()].reset_index()[columns]
        .to_numpy().tolist())
    assert kept.match_rank.max() > 1
    assert set(rows.row_id) == set(galaxies.row_id)
    alone = rows[rows.objectId.isna()]
    assert set(alone.row_id) == set(galaxies.row_id) - set(near.row_id)
    assert alone.row_id.is_unique
    counts = near.groupby("row_id").size()
    assert rows.n_candidates.astype(int).tolist() == (
        counts.reindex(rows.row_id, fill_value=0).tolist())


def test_rows_that_are_added_are_accounted_for(several, galaxies, objects) -> None:
    near = _near(galaxies, objects, RADIUS, LEAST)
    further = int(((near.match_rank > 1) & (near.match_rank <= MOST)).sum())
    rows = several.manifests["crossmatch"].rows
    assert (rows.taken, rows.added, rows.given, rows.dropped) == (
        len(galaxies), further, len(galaxies) + further, {})
    assert _metrics(several)["rows.unaccounted", ""] == 0
    assert f"{further:,} rows more, for further objects" in _page(several)


def test_all_rows_of_a_galaxy_are_on_one_side(several) -> None:
    rows = _exported(several)
    assert rows.groupby("galaxy_id").size().max() > 1
    assert (rows.groupby("galaxy_id").split.nunique() == 1).all()
    assert _metrics(several)["split.shared_galaxies", ""] == 0


def test_without_an_object_there_is_no_photometry_and_nothing_else_is_lacking(
    left, mock_run
) -> None:
    rows, matched = _exported(left), _exported(mock_run)
    alone = rows[rows.objectId.isna()]
    assert len(alone) == len(rows) - len(matched) > 0
    for name in ("separation", "match_rank", "coord_ra", "mag_i", "mag_err_i", "snr_i", "det_i",
                 "ebv_applied", "i_cModelFlux"):
        assert alone[name].isna().all(), name
    for name in ("galaxy_id", "z", "split", "n_candidates"):
        assert alone[name].notna().all(), name
    # Those that have one are as they are without the others.
    pd.testing.assert_frame_equal(rows[rows.objectId.notna()].reset_index(drop=True), matched)


def test_objects_are_counted_also_of_galaxies_that_get_none(
    left, mock_run, galaxies, objects
) -> None:
    rows = _exported(left)
    counts = _near(galaxies, objects, 1.0).groupby("row_id").size()
    assert rows.n_candidates.astype(int).tolist() == (
        counts.reindex(rows.row_id, fill_value=0).tolist())
    taken = mock_run.manifests["crossmatch"].rows.dropped.get("object_taken", 0)
    assert (rows.objectId.isna() & (rows.n_candidates > 0)).sum() == taken
    assert left.manifests["crossmatch"].rows.dropped == {}


@pytest.mark.parametrize("which", ["left", "several"])
def test_rail_gets_minus_one_for_no_object_and_minus_99_for_its_magnitudes(which, request) -> None:
    done = request.getfixturevalue(which)
    rail = _rail(done)
    rows = _exported(done)
    assert rail["object_id"].dtype == np.int64
    assert sorted(rail["object_id"]) == sorted(rows.objectId.fillna(-1).astype("int64"))
    alone = rail["object_id"] == -1
    assert alone.sum() == rows.objectId.isna().sum() > 0
    for band in "ugrizy":
        assert (rail[f"mag_{band}_lsst"][alone] == -99.0).all()
        assert (rail[f"mag_err_{band}_lsst"][alone] == -99.0).all()
        assert (rail[f"det_{band}"][alone] == -1).all()
    assert np.isnan(rail["ebv_applied"][alone]).all()
    assert np.isfinite(rail["redshift"]).all()


def test_the_report_tells_of_objects_where_there_are_any(left, mock_run) -> None:
    """What galaxies without an object lack is no lack of photometry, dust or positions."""
    told, matched = _metrics(left), _metrics(mock_run)
    of_all = ("rows.result", "redshift.", "sky.area", "split.fraction", "split.deviation")
    changed = {key for key in told if told[key] != matched.get(key)}
    assert {name for name, _ in changed} >= {"rows.result"}
    assert all(name.startswith(of_all) for name, _ in changed), changed
    assert told["rows.result", ""] == len(_exported(left))


def test_the_report_tells_of_galaxies_by_their_nearest_object(several, galaxies, objects) -> None:
    near = _near(galaxies, objects, RADIUS, LEAST)
    nearest = near[near.match_rank == 1]
    told = _metrics(several)
    assert told["match.fraction", ""] == len(nearest) / len(galaxies)
    assert told["match.separation", ""] == pytest.approx(nearest.separation.median(), abs=0.004)
    assert told["match.ambiguous", ""] == pytest.approx(
        (near.groupby("row_id").size() > 1).mean())
    rows = _exported(several)
    assert told["rows.result", ""] == len(rows)
    parts = rows.drop_duplicates("row_id").split.value_counts(normalize=True)
    for part, share in parts.items():
        assert told["split.fraction", part] == pytest.approx(share)
    text = _page(several)
    assert f"galaxies with photometry {len(nearest):,} rows {len(rows):,}" in text


@pytest.fixture(scope="module")
def fitted(run, mock_run, mock_recipe):
    """Positions moved by the offsets of their surveys."""
    match = mock_recipe.match.model_copy(update={"offsets": "fit"})
    return run(mock_recipe.model_copy(update={"match": match}), mock_run.store)


def test_the_report_tells_what_positions_were_moved_by_and_what_is_left(fitted, mock_run) -> None:
    notes = fitted.manifests["neighbors"].notes["offsets"]
    before, left_over = _metrics(mock_run), _metrics(fitted)
    assert notes.keys() == {of for name, of in before if name == "match.east" and of}
    for survey, offset in notes.items():
        for axis in ("east", "north"):
            was, now = (told[f"match.{axis}", survey] for told in (before, left_over))
            # Medians of bins of a mas, and of galaxies that the move brought or lost.
            assert was == pytest.approx(1000 * offset[axis], abs=8)
            assert abs(now) < 5
    page, plain = _page(fitted), _page(mock_run)
    assert "Moved east Moved north" in page
    assert "Moved east" not in plain
    for offset in notes.values():
        told = f"{1000 * offset['east']:.1f}".replace("-", "\N{MINUS SIGN}")
        assert f"{told} mas" in page


def test_the_report_tells_how_many_matches_are_wrong(mock_run) -> None:
    chance = mock_run.manifests["neighbors"].notes["chance"]
    told = _metrics(mock_run)
    assert chance["galaxies"] == mock_run.manifests["crossmatch"].rows.taken
    assert told["match.random", ""] == chance["hits"] / chance["positions"]
    assert told["match.wrong", ""] == chance["wrong"] / chance["matched"]
    assert f"Of {chance['positions']:,} positions shifted away" in _page(mock_run)
