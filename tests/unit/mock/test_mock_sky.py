"""What is written of the mock sky is what its truth says, by formulas from elsewhere."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock import MockSky, make_mock
from pz_tsm_core.mock.surveys import SURVEYS
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.readers import read_table
from pz_tsm_core.releases import get_release
from pz_tsm_core.surveys import get_survey

SPEC = MockSky(seed=5, n_objects=8_000, n_redshifts=3_000, n_hard=9)
SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "specz"
#: The DESC DC2 coefficients, as RAIL's `lsst_def_a_env` gives them.
R = {"u": 4.81, "g": 3.64, "r": 2.70, "i": 2.06, "z": 1.58, "y": 1.31}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return make_mock(tmp_path_factory.mktemp("mock") / "sky", SPEC)


@pytest.fixture(scope="module")
def measurements(paths):
    return pq.read_table(paths.truth_measurements).to_pandas()


@pytest.fixture(scope="module")
def true_objects(paths):
    return pq.read_table(paths.truth_objects).sort_by("objectId")


@pytest.fixture(scope="module")
def objects(paths):
    files = sorted((paths.objects / "object").glob("dataset/*/*/*.parquet"))
    tables = [pq.ParquetFile(file).read() for file in files]
    return pa.concat_tables(tables).sort_by("objectId")


def native(paths, key):
    file = paths.surveys[key]
    match file.suffix:
        case ".csv":
            return pyarrow.csv.read_csv(file).to_pandas()
        case ".fits":
            return Table.read(file).to_pandas()
    return pq.read_table(file).to_pandas()


def hashes(root: Path) -> dict[str, str]:
    """sha256 of all files but the properties, which carry dates."""
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in root.rglob("*")
            if file.is_file() and not file.name.endswith("properties")}


def test_there_are_as_many_objects_and_redshifts_as_asked_for(objects, true_objects, measurements):
    assert len(objects) == len(true_objects) == SPEC.n_objects
    assert len(measurements) == SPEC.n_redshifts
    assert objects["objectId"].equals(true_objects["objectId"])
    assert len(set(objects["objectId"].to_pylist())) == SPEC.n_objects


def test_equal_specs_give_equal_bytes_whatever_the_workers(paths, tmp_path):
    again = make_mock(tmp_path / "again", SPEC, workers=1)
    assert hashes(again.root) == hashes(paths.root)


def test_another_seed_gives_another_sky(paths, tmp_path):
    other = hashes(make_mock(tmp_path / "other", SPEC.model_copy(update={"seed": 6})).root)
    same = {name for name, digest in hashes(paths.root).items() if other.get(name) == digest}
    assert {Path(name).parts[0] for name in same} <= {"dust", "object_collection"}
    assert not any(name.endswith(".parquet") for name in same)


def test_a_sky_of_the_same_spec_is_left_as_it_is(paths):
    before = {file: file.stat().st_mtime_ns for file in paths.root.rglob("*")}
    make_mock(paths.root, SPEC)
    assert {file: file.stat().st_mtime_ns for file in paths.root.rglob("*")} == before


@pytest.mark.parametrize("occupied", ["another spec", "a stranger's file"])
def test_nothing_is_overwritten(occupied, paths, tmp_path):
    if occupied == "another spec":
        where, spec = paths.root, SPEC.model_copy(update={"n_objects": 9_000})
    else:
        (tmp_path / "thesis.tex").write_text("chapter 1")
        where, spec = tmp_path, SPEC
    with pytest.raises(TsmError) as refusal:
        make_mock(where, spec)
    assert refusal.value.codes == (Code.OUTPUT_EXISTS,)


def test_a_failed_run_leaves_nothing(tmp_path):
    def fail(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_mock(tmp_path / "sky", SPEC, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_total(tmp_path):
    told = []
    make_mock(tmp_path / "sky", SPEC, progress=lambda *news: told.append(news))
    assert [done for _, done, _ in told] == list(range(1, told[-1][2] + 1))


def test_the_object_catalogue_has_columns_and_types_of_dp1(objects):
    release = get_release("dp1")
    for kind in ("cModel", "psf"):
        assert set(release.columns_for(kind)) <= set(objects.column_names)
    types = {name: str(objects.schema.field(name).type) for name in objects.column_names}
    assert len(types) == 47
    assert types["objectId"] == "int64"
    assert types["coord_ra"] == "double"
    assert {types[f"{band}_cModelFlux"] for band in R} == {"float"}
    assert {types[f"{band}_psfFlux_flag"] for band in R} == {"bool"}


@pytest.mark.parametrize("band", R)
def test_fluxes_are_the_true_magnitudes_dimmed_by_dust_within_their_errors(
    band, objects, true_objects
):
    true = true_objects[f"{band}_mag"].to_numpy() + R[band] * true_objects["ebv"].to_numpy()
    expected = (true * u.ABmag).to_value(u.nJy)
    measured, error = (objects[f"{band}_cModel{name}"].to_numpy() for name in ("Flux", "FluxErr"))
    failed = objects[f"{band}_cModel_flag"].to_numpy()
    assert np.isnan(measured[failed]).all()
    pull = ((measured - expected) / error)[~failed]
    assert abs(pull.mean()) < 0.06
    assert abs(pull.std() - 1) < 0.05
    assert failed.mean() < 0.01


def test_some_faint_fluxes_are_negative(objects):
    assert (objects["u_cModelFlux"].to_numpy() < 0).mean() > 0.02


def test_the_dust_column_is_the_stated_field(objects):
    places = SkyCoord(objects["coord_ra"].to_numpy(), objects["coord_dec"].to_numpy(), unit="deg")
    expected = 0.02 + 0.3 * np.exp(-np.abs(places.galactic.b.deg) / 15)
    assert np.allclose(objects["ebv"].to_numpy(), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Configuration file not found")
def test_dustmaps_reads_the_field_from_the_sfd_files(paths):
    from dustmaps.sfd import SFDQuery

    rng = np.random.default_rng(1)
    latitude = rng.uniform(1, 89, 3000) * rng.choice([-1, 1], 3000)
    places = SkyCoord(l=rng.uniform(0, 360, 3000), b=latitude, unit="deg", frame="galactic")
    found = SFDQuery(map_dir=str(paths.dust / "sfd"))(places)
    expected = 0.02 + 0.3 * np.exp(-np.abs(latitude) / 15)
    assert np.abs(found - expected).max() < 2e-4
    assert np.median(np.abs(found - expected)) < 5e-6


def test_galaxies_are_well_apart_except_the_hard_pairs(true_objects):
    places = SkyCoord(true_objects["ra"].to_numpy(), true_objects["dec"].to_numpy(), unit="deg")
    _, separation, _ = places.match_to_catalog_sky(places, nthneighbor=2)
    hard = true_objects["hard"].to_numpy()
    assert hard.sum() == 2 * SPEC.n_hard
    assert separation.arcsec[~hard].min() > 4
    assert separation.arcsec[hard].min() > 0.39
    assert separation.arcsec[hard].max() < 1.21


def test_measurements_of_one_galaxy_are_close_and_of_different_galaxies_apart(measurements):
    places = SkyCoord(measurements.ra, measurements.dec, unit="deg")
    left, right, separation, _ = places.search_around_sky(places, 3 * u.arcsec)
    pair = left < right
    left, right, separation = left[pair], right[pair], separation[pair].arcsec
    galaxy, hard = measurements.galaxy.to_numpy(), measurements.is_hard.to_numpy()
    same = galaxy[left] == galaxy[right]
    assert separation[same].max() < 0.75
    assert hard[left[~same]].all()
    counts = Counter(galaxy)
    assert same.sum() == sum(n * (n - 1) // 2 for n in counts.values())


def test_both_members_of_every_hard_pair_are_measured(measurements, true_objects):
    hard = set(true_objects["galaxy"].to_numpy()[true_objects["hard"].to_numpy()])
    assert set(measurements.galaxy[measurements.is_hard]) == hard


def test_surveys_overlap_repeat_and_leave_the_footprint(measurements, true_objects):
    surveys_of_galaxy = measurements.groupby("galaxy").survey.nunique()
    assert (surveys_of_galaxy > 1).sum() > 100
    assert measurements.groupby("survey").is_repeat.sum().min() > 0
    off = measurements.objectId.isna()
    assert 0.1 < off.mean() < 0.2
    assert not set(measurements.galaxy[off]) & set(true_objects["galaxy"].to_numpy())
    assert set(measurements.galaxy[~off]) <= set(true_objects["galaxy"].to_numpy())


def test_the_sky_reaches_over_ra_0_and_where_base_pixels_meet(true_objects):
    ra, dec = true_objects["ra"].to_numpy(), true_objects["dec"].to_numpy()
    assert ((ra > 359) & (abs(dec) < 1)).any()
    assert ((ra < 1) & (abs(dec) < 1)).any()
    corner = SkyCoord(90.0, 41.8103, unit="deg").separation(SkyCoord(ra, dec, unit="deg"))
    assert corner.arcmin.min() < 5


def test_only_low_qualities_hide_wrong_redshifts(measurements):
    m = measurements[measurements.z.notna()]
    wrong = (abs(m.z - m.z_true) / (1 + m.z_true) > 0.099) & (m.instrument_type != "p")
    assert wrong.sum() > 30
    assert m.quality[wrong].max() <= 2
    assert m.is_blunder[wrong].all()
    assert measurements.z[measurements.quality == 0].isna().all()


@pytest.mark.parametrize("survey", SURVEYS, ids=lambda survey: survey.key)
def test_truth_rows_are_the_rows_of_the_native_file(survey, paths, measurements):
    rows = measurements[measurements.survey == survey.key].sort_values("row")
    file = native(paths, survey.key)
    assert list(rows.row) == list(range(len(file)))
    position = {"desi_dr1": "TARGET_RA", "2dfgrs": "ra_j2000_deg", "6dfgs": "RA_deg",
                "primus": "RA", "vandels": "alpha", "3dhst": "ra"}[survey.key]
    assert np.array_equal(rows.ra, file[position])


@pytest.mark.parametrize("survey", SURVEYS, ids=lambda survey: survey.key)
def test_the_survey_definition_reads_the_true_quality_back_from_the_flags(
    survey, paths, measurements
):
    """Mock and definition encode the flags independently: they must agree row by row."""
    standard = standardize(read_table(paths.surveys[survey.key]), get_survey(survey.key)).table
    found = standard.to_pandas().set_index(["ra", "dec"])
    rows = measurements[measurements.survey == survey.key].set_index(["ra", "dec"])
    true = rows.loc[found.index]
    assert (found.quality == true.quality).all()
    good = true.quality > 0
    assert good.sum() == (rows.quality > 0).sum()
    assert np.allclose(found.z[good], true.z[good], atol=2e-7)
    assert (found.instrument_type[good] == true.instrument_type[good]).all()
    stars = true.object_class == "star"
    assert stars.sum() == (rows.object_class == "star").sum() or survey.star_quality == 0
    assert (found.object_class[stars] == "star").all()
    assert not (found.object_class[~stars & good] == "star").any()


@pytest.mark.parametrize(("survey", "missing", "repeated"), [
    ("2dfgrs", True, False), ("vandels", True, False), ("3dhst", False, True),
    ("primus", False, True), ("desi_dr1", False, True),
])
def test_ids_are_missing_or_repeat_where_the_native_format_lets_them(
    survey, missing, repeated, measurements
):
    ids = measurements[measurements.survey == survey].native_id
    if missing:
        assert ids.isna().any()
    if repeated:
        assert ids.dropna().duplicated().any()


@pytest.mark.parametrize("survey", SURVEYS, ids=lambda survey: survey.key)
def test_native_columns_have_names_and_types_of_the_real_catalogue(survey, paths):
    stem = {"desi_dr1": "desi_dr1"}.get(survey.key, survey.key)
    real = sorted(SAMPLES.glob(f"{stem}*.parquet"))
    if not real:
        pytest.skip(f"no sample of {survey.key} at {SAMPLES}")
    expected = pq.read_schema(real[0])
    mock = read_table(paths.surveys[survey.key]).schema
    for field in mock:
        assert field.name in expected.names
        assert field.type == expected.field(field.name).type, field.name


def test_magnitudes_tell_the_redshift_about_as_well_as_real_ones(measurements, true_objects):
    """A nearest-neighbour estimate from true colours scatters like published photo-z."""
    galaxies = true_objects.to_pandas()
    galaxies = galaxies[(galaxies.object_class == "galaxy") & (galaxies.i_mag < 24)]
    magnitudes = galaxies[[f"{band}_mag" for band in "ugrizy"]].to_numpy()
    features = np.column_stack([np.diff(magnitudes, axis=1), 0.2 * magnitudes[:, 3]])
    from scipy.spatial import cKDTree

    train = np.arange(len(features)) % 2 == 0
    near = cKDTree(features[train]).query(features[~train], k=7)[1]
    z = galaxies.z.to_numpy()
    error = (np.median(z[train][near], axis=1) - z[~train]) / (1 + z[~train])
    assert 1.4826 * np.median(abs(error)) < 0.05


def test_the_record_names_the_spec(paths):
    record = json.loads(paths.record.read_text())
    assert MockSky.model_validate(record["spec"]) == SPEC


def test_an_unknown_mock_survey_is_refused_with_the_nearest_key(tmp_path):
    with pytest.raises(TsmError) as refusal:
        make_mock(tmp_path / "sky", MockSky(surveys=("primuss",)))
    assert refusal.value.codes == (Code.SURVEY_UNKNOWN,)
    assert "`primus`" in str(refusal.value)

