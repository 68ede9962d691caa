"""Every stage over the mock sky, against its truth or an independent formula."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky

from pz_tsm_core.model.resolution import Reason

SURVEYS = ("desi_dr1", "2dfgrs", "6dfgs", "primus", "vandels", "3dhst")
R_DC2 = dict(zip("ugrizy", (4.81, 3.64, 2.70, 2.06, 1.58, 1.31), strict=True))


@pytest.fixture(scope="module")
def truth(mock_sky) -> pd.DataFrame:
    # Arrow types: an objectId that may be null must not become a float.
    return pq.read_table(mock_sky.truth_measurements).to_pandas(types_mapper=pd.ArrowDtype)


@pytest.fixture(scope="module")
def objects(mock_sky) -> pd.DataFrame:
    return pq.read_table(mock_sky.truth_objects).to_pandas().set_index("objectId")


@pytest.fixture(scope="module")
def measured(mock_run) -> pd.DataFrame:
    return mock_run.table("combine", "measurements").to_pandas()


@pytest.fixture(scope="module")
def galaxies(mock_run) -> pd.DataFrame:
    return mock_run.table("combine", "galaxies").to_pandas()


@pytest.fixture(scope="module")
def matches(mock_run) -> pd.DataFrame:
    return mock_run.table("crossmatch", "matches").to_pandas()


@pytest.fixture(scope="module")
def training_set(mock_run) -> pd.DataFrame:
    return mock_run.table("split", "training_set").to_pandas()


def _key(row: Any) -> tuple[Any, ...]:
    """What tells a measurement: the survey, and the position that it printed."""
    return row.survey, round(row.ra, 6), round(row.dec, 6)


def _told_class(row: Any) -> str:
    """What a survey says of an object of a known class: few look for more than stars."""
    if row.object_class == "star":
        return "star"
    if row.object_class == "qso":
        if row.survey == "vandels":
            return "agn" if row.quality >= 3 else "unknown"
        return {"desi_dr1": "qso", "primus": "agn"}.get(row.survey, "unknown")
    return "galaxy" if row.survey in ("desi_dr1", "primus") else "unknown"


def test_every_input_row_is_accounted_for(mock_run, truth) -> None:
    for survey in SURVEYS:
        rows = mock_run.manifests[f"standardize {survey}"].rows
        mine = truth[truth.survey == survey]
        assert rows.taken == len(mine)
        assert rows.given >= (mine.quality > 0).sum()
        assert set(rows.dropped) <= {"no_redshift"}
        # What has no redshift is dropped where the survey marks it by a sentinel.
        assert rows.dropped.get("no_redshift", 0) <= (mine.quality == 0).sum()
    stated = {label: manifest.rows for label, manifest in mock_run.manifests.items()
              if manifest.rows}
    # Neighbours are no rows on their way: they say which objects are near.
    assert set(mock_run.manifests) - set(stated) == {"neighbors"}
    for label, rows in stated.items():
        assert rows.taken == rows.given + sum(rows.dropped.values()), label


def test_quality_class_and_instrument_are_the_truth(measured, truth) -> None:
    found = {_key(row): row for row in measured.itertuples()}
    assert len(found) == len(measured)
    for row in truth.itertuples():
        ours = found.pop(_key(row), None)
        if row.quality == 0:
            assert ours is None or ours.quality == 0
            continue
        assert ours.quality == row.quality
        assert ours.object_class == _told_class(row)
        assert ours.instrument_type == row.instrument_type
        assert ours.z == pytest.approx(row.z, abs=1e-6)
    assert not found  # nothing that the truth does not know


def test_row_ids_are_distinct_though_native_ids_repeat_and_are_missing(measured, truth) -> None:
    assert measured.row_id.is_unique
    assert measured.native_id.isna().sum() > 0
    assert measured.groupby(["survey", "native_id"]).size().max() > 1


@pytest.fixture(scope="module")
def brute_pairs(measured) -> set[tuple[int, int]]:
    """All pairs within the radius, by astropy."""
    sky = SkyCoord(measured.ra.to_numpy(), measured.dec.to_numpy(), unit="deg")
    first, second, _, _ = search_around_sky(sky, sky, 0.75 * u.arcsec)
    ids = measured.row_id.to_numpy()
    return {(min(a, b), max(a, b))
            for a, b in zip(ids[first].tolist(), ids[second].tolist(), strict=True) if a != b}


def test_pairs_are_those_of_astropy(mock_run, brute_pairs) -> None:
    pairs = mock_run.table("combine", "pairs")
    ours = zip(pairs["row_id_1"].to_pylist(), pairs["row_id_2"].to_pylist(), strict=True)
    assert set(ours) == brute_pairs
    assert len(pairs) == len(brute_pairs) > 100


def test_groups_are_the_components_of_the_pairs(measured, brute_pairs) -> None:
    parent = {row_id: row_id for row_id in measured.row_id}

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for a, b in brute_pairs:
        parent[root(a)] = root(b)
    theirs = measured.row_id.map(root)
    # Equal partitions: each label of one side meets one label of the other.
    assert len(set(zip(measured.galaxy_id, theirs, strict=True))) == measured.galaxy_id.nunique()
    assert measured.galaxy_id.nunique() == theirs.nunique()


def test_groups_are_the_true_galaxies_where_the_sky_is_not_made_hard(measured, truth) -> None:
    easy = truth[(truth.quality > 0) & ~truth.is_hard]
    galaxy_of = {_key(row): row.galaxy for row in easy.itertuples()}
    known = [(row.galaxy_id, galaxy_of[key]) for row in measured.itertuples()
             if (key := _key(row)) in galaxy_of]
    assert len(set(known)) == len({a for a, _ in known}) == len({b for _, b in known})
    assert len(known) >= len(galaxy_of) > 1500


LOST = (Reason.LOST_QUALITY, Reason.LOST_INSTRUMENT, Reason.LOST_SURVEY_RANK, Reason.LOST_Z_ERR,
        Reason.LOST_YEAR, Reason.LOST_SNR, Reason.LOST_SEPARATION, Reason.LOST_ID)


def _orders(rows: list[Any]) -> dict[int, tuple[Any, ...]]:
    """What each row of a group is ranked by, smaller first: plain values, astropy's middle."""
    sky = SkyCoord([row.ra for row in rows], [row.dec for row in rows], unit="deg").cartesian
    away = (sky - sky.mean()).norm().value * 180 * 3600 / np.pi

    def known(value: Any) -> float:
        return np.inf if pd.isna(value) else float(value)

    return {row.row_id: (-row.quality, "sgp".index(row.instrument_type), -row.survey_rank,
                         known(row.z_err), known(-row.year), known(-row.snr),
                         round(distance * 1000), row.row_id)
            for row, distance in zip(rows, away, strict=True)}


def test_winners_and_reasons_are_those_of_a_choice_made_group_by_group(measured) -> None:
    expected = {}
    for _, group in measured.groupby("galaxy_id"):
        rows = list(group.itertuples())
        order = _orders(rows)
        able = [row for row in rows
                if row.quality >= 3 and row.object_class not in ("star", "galactic")]
        best = min(able, key=lambda row: order[row.row_id], default=None)
        for row in rows:
            if row.object_class in ("star", "galactic"):
                expected[row.row_id] = Reason.EXCLUDED_CLASS
            elif row.quality < 3:
                expected[row.row_id] = Reason.LOW_QUALITY
            elif row is best:
                expected[row.row_id] = Reason.ALONE if len(able) == 1 else Reason.WON
            else:
                mine, theirs = order[row.row_id], order[best.row_id]
                place = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
                disagrees = place > 2 and abs(row.z - best.z) > 0.01 * (1 + best.z)
                expected[row.row_id] = Reason.LOST_CONFLICT if disagrees else LOST[place]
    assert dict(zip(measured.row_id, measured.reason, strict=True)) == expected
    # Repeats of one survey often agree in all but the id; every other reason occurs as well.
    assert set(measured.reason) >= {0, 1, 2, 3, 4, 6, 7}


def test_a_galaxy_is_its_winner_with_the_figures_of_its_group(measured, galaxies) -> None:
    winners = measured[measured.reason <= Reason.WON].set_index("galaxy_id")
    assert set(galaxies.galaxy_id) == set(winners.index)
    ours = galaxies.set_index("galaxy_id")
    assert (ours.row_id == winners.row_id[ours.index]).all()
    grouped = measured.groupby("galaxy_id")
    assert (ours.n_measurements == grouped.size()[ours.index]).all()
    eligible = [reason for reason in Reason if reason.eligible]
    able = measured[measured.reason.isin(eligible)].groupby("galaxy_id")
    assert (ours.n_eligible == able.size()[ours.index]).all()
    spread = (able.z.max() - able.z.min())[ours.index] / (1 + ours.z)
    assert np.allclose(ours.z_spread, spread)
    together = measured[measured.reason.isin(eligible)].join(
        ours[["z"]], on="galaxy_id", suffixes=("", "_best"), how="inner")
    agrees = abs(together.z - together.z_best) <= 0.01 * (1 + together.z_best)
    assert (ours.n_agreeing == agrees.groupby(together.galaxy_id).sum()[ours.index]).all()
    disputed = measured[measured.reason == Reason.LOST_CONFLICT].galaxy_id
    assert set(ours.index[ours.z_conflict]) == set(disputed)
    stars = measured[(measured.reason == Reason.EXCLUDED_CLASS) & (measured.quality >= 3)].galaxy_id
    assert set(ours.index[ours.class_conflict]) == set(stars) & set(ours.index)
    members = measured.join(ours[["ra", "dec"]], on="galaxy_id", suffixes=("", "_best"),
                            how="inner")
    apart = SkyCoord(members.ra, members.dec, unit="deg").separation(
        SkyCoord(members.ra_best, members.dec_best, unit="deg")).arcsec
    largest = pd.Series(apart, index=members.index).groupby(members.galaxy_id).max()
    assert np.allclose(ours.extent, largest[ours.index], atol=1e-6)


def test_blunders_are_announced_by_low_flags_and_never_win(measured, truth) -> None:
    blunders = {_key(row) for row in truth[truth.is_blunder].itertuples()}
    winners = {_key(row) for row in measured[measured.reason <= Reason.WON].itertuples()}
    assert len(blunders) > 20
    assert not blunders & winners


def test_matches_are_those_of_astropy(galaxies, matches, objects) -> None:
    theirs = SkyCoord(objects.ra.to_numpy(), objects.dec.to_numpy(), unit="deg")
    ours = SkyCoord(galaxies.ra.to_numpy(), galaxies.dec.to_numpy(), unit="deg")
    index, separation, _ = ours.match_to_catalog_sky(theirs)
    near = separation.arcsec <= 1.0
    nearest = pd.DataFrame({
        "galaxy_id": galaxies.galaxy_id[near], "objectId": objects.index[index[near]],
        "separation": separation.arcsec[near],
    })
    # One galaxy an object: the nearer one.
    nearest = nearest.sort_values(["objectId", "separation", "galaxy_id"])
    unique = nearest.drop_duplicates("objectId")
    expected = dict(zip(unique.galaxy_id, unique.objectId, strict=True))
    assert dict(zip(matches.galaxy_id, matches.objectId, strict=True)) == expected
    told = unique.set_index("galaxy_id").separation[matches.galaxy_id].to_numpy()
    assert np.allclose(matches.separation, told, atol=1e-6)


def test_matches_are_the_true_counterparts_where_the_sky_is_not_made_hard(matches, truth) -> None:
    easy = truth[(truth.quality > 0) & ~truth.is_hard]
    object_of = {_key(row): row.objectId for row in easy.itertuples()}
    told = [(row.objectId, object_of[key]) for row in matches.itertuples()
            if (key := _key(row)) in object_of]
    # A position error beyond the radius loses a row, it never finds a wrong object.
    assert len(told) > 800
    assert all(found == true for found, true in told)


def test_candidates_are_counted_by_brute_force(galaxies, matches, objects) -> None:
    theirs = SkyCoord(objects.ra.to_numpy(), objects.dec.to_numpy(), unit="deg")
    ours = SkyCoord(galaxies.ra.to_numpy(), galaxies.dec.to_numpy(), unit="deg")
    first, _, _, _ = search_around_sky(ours, theirs, 1.0 * u.arcsec)
    counts = pd.Series(galaxies.galaxy_id.to_numpy()[first]).value_counts()
    assert (matches.n_candidates.to_numpy() == counts[matches.galaxy_id].to_numpy()).all()
    assert counts.max() > 1


def test_magnitudes_are_those_of_astropy_and_the_known_dust(training_set) -> None:
    position = SkyCoord(training_set.coord_ra.to_numpy(), training_set.coord_dec.to_numpy(),
                        unit="deg")
    ebv = 0.02 + 0.3 * np.exp(-np.abs(position.galactic.b.deg) / 15)
    assert np.allclose(training_set.ebv_applied, ebv, atol=2e-4)  # a map has pixels
    for band in "ugrizy":
        flux = training_set[f"{band}_cModelFlux"].to_numpy(np.float64)
        good = flux > 0
        expected = (flux[good] * u.nJy).to_value(u.ABmag)
        expected -= R_DC2[band] * training_set.ebv_applied[good].to_numpy(np.float64)
        assert np.allclose(training_set[f"mag_{band}"][good], expected, atol=1e-4)
        error = 2.5 / np.log(10) * training_set[f"{band}_cModelFluxErr"][good] / flux[good]
        assert np.allclose(training_set[f"mag_err_{band}"][good], error, rtol=1e-6)
        assert training_set[f"mag_{band}"][~good].isna().all()


def test_magnitudes_are_the_true_ones_within_the_noise(training_set, objects) -> None:
    true = objects.loc[training_set.objectId]
    for band in "griz":
        bright = training_set[f"mag_err_{band}"] < 0.1
        pull = ((training_set[f"mag_{band}"] - true[f"{band}_mag"].to_numpy())
                / training_set[f"mag_err_{band}"])[bright]
        assert abs(pull.median()) < 0.2
        assert 0.6 < pull.abs().median() / 0.6745 < 1.4


def test_sides_are_the_published_hash(training_set) -> None:
    fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
    edges = list(accumulate(fractions.values()))
    mask = 2**64 - 1

    def side(galaxy_id: int) -> str:
        x = ((2026 ^ galaxy_id) + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        fraction = ((x ^ (x >> 31)) >> 11) / 2**53
        return next(name for name, edge in zip(fractions, edges, strict=True) if fraction < edge)

    assert training_set.split.tolist() == [side(galaxy) for galaxy in training_set.galaxy_id]


def test_the_training_set_holds_one_row_a_galaxy_and_one_an_object(training_set) -> None:
    assert training_set.galaxy_id.is_unique
    assert training_set.objectId.is_unique
