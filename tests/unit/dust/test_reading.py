"""The maps through our door and through dustmaps' own; its configuration stays untouched."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from pz_tsm_core.dust import Dust, get_map, map_keys, open_dust, read_ebv, reading
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.dust import ebv_at, write_healpix_map
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.releases import get_release


@pytest.fixture(scope="module")
def places():
    """Positions all over the sky: both poles, RA 0 from either side, poles of the Galaxy."""
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 360, 100_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 100_000)))
    ra[:8] = 0, 180, 0, 0, 360, 359.999999999, 192.85947789, 12.85947789
    dec[:8] = 90, -90, -90, 0, 0, 30, 27.12825241, -27.12825241
    return ra, dec


def theirs(name, folder):
    """The map as dustmaps opens it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dustmaps.csfd import CSFDQuery
        from dustmaps.planck import PlanckGNILCQuery, PlanckQuery
        from dustmaps.sfd import SFDQuery
    opened = {
        "sfd": lambda: SFDQuery(map_dir=str(folder / "sfd")),
        "csfd": lambda: CSFDQuery(map_fname=str(folder / "csfd/csfd_ebv.fits"),
                                  mask_fname=str(folder / "csfd/mask.fits")),
        "planck": lambda: PlanckQuery(map_fname=str(
            folder / "planck/HFI_CompMap_ThermalDustModel_2048_R1.20.fits")),
        "gnilc": lambda: PlanckGNILCQuery(map_fname=str(
            folder / "planck/COM_CompMap_Dust-GNILC-Model-Opacity_2048_R2.01.fits")),
    }
    return opened[name]()


@pytest.mark.parametrize("name", map_keys())
def test_values_are_those_of_dustmaps_bit_for_bit(name, maps, places):
    ours = read_ebv(name, maps, *places)
    other = np.asarray(theirs(name, maps)(SkyCoord(*places, unit="deg")))
    assert ours.dtype == np.dtype("=f8")
    assert other.dtype.kind == "f"
    assert other.dtype.itemsize == 4
    assert np.array_equal(ours, other)


#: Steepest slope of the field (0.3 mag in 15 degrees) times the degrees to the farthest pixel used.
@pytest.mark.parametrize(("name", "far"), [
    ("sfd", 0.02 * 0.32), ("csfd", 0.02 * 0.83), ("planck", 0.02 * 0.83), ("gnilc", 0.02 * 0.83)])
def test_a_map_gives_the_field_that_it_was_made_of(name, far, maps, places):
    assert np.abs(read_ebv(name, maps, *places) - ebv_at(*places)).max() < far


@pytest.mark.parametrize("name", map_keys())
def test_a_position_that_is_none_has_no_value(name, maps):
    ebv = read_ebv(name, maps, np.array([10.0, np.nan, 10.0, np.inf, 10.0]),
                   np.array([20.0, 20.0, np.nan, 20.0, 91.0]))
    assert np.isnan(ebv).tolist() == [False, True, True, True, True]
    for nowhere in (np.empty(0), np.full(3, np.nan)):
        assert np.isnan(read_ebv(name, maps, nowhere, nowhere)).sum() == len(nowhere)


@pytest.mark.parametrize(("name", "column"), [
    ("csfd", "T"), ("planck", "EBV"), ("gnilc", "TAU353")])
def test_where_the_map_knows_nothing_there_is_no_value(name, column, tmp_path):
    """HEALPix files write -1.6375e30 or NaN where nothing was seen."""
    write_healpix_map(tmp_path, name)
    with fits.open(get_map(name).paths(tmp_path)[0], mode="update") as file:
        values = file[1].data[column].reshape(-1)
        values[: len(values) // 2] = -1.6375e30
        values[len(values) // 2:] = np.nan
        file[1].data[column] = values.reshape(file[1].data[column].shape)
    assert np.isnan(read_ebv(name, tmp_path, np.linspace(0, 359, 500), np.zeros(500))).all()


@pytest.mark.parametrize("name", map_keys())
def test_a_map_that_is_missing_or_damaged_is_refused(name, tmp_path):
    with pytest.raises(TsmError, match="tsm dustmaps fetch") as refused:
        open_dust(Dereddening(map=name, directory=str(tmp_path)))
    assert refused.value.codes == (Code.DUST_MAP,)
    for path in get_map(name).paths(tmp_path):
        path.parent.mkdir(exist_ok=True)
        path.write_text("no FITS")
    with pytest.raises(TsmError) as refused:
        read_ebv(name, tmp_path, np.zeros(1), np.zeros(1))
    assert refused.value.codes == (Code.DUST_MAP,)
    for path in get_map(name).paths(tmp_path):  # FITS, and none of this map
        path.unlink()
        fits.PrimaryHDU(np.zeros(3)).writeto(path)
    with pytest.raises(TsmError) as refused:
        read_ebv(name, tmp_path, np.zeros(1), np.zeros(1))
    assert refused.value.codes == (Code.DUST_MAP,)


def test_a_map_is_read_once_and_again_when_its_files_change(tmp_path, monkeypatch):
    opened = []
    query = reading._query
    monkeypatch.setattr(reading, "_query", lambda *files: opened.append(files) or query(*files))
    write_healpix_map(tmp_path, "planck")
    here = np.zeros(1), np.zeros(1)
    first = [read_ebv("planck", tmp_path, *here) for _ in range(3)]
    assert (len(opened), len({float(each[0]) for each in first})) == (1, 1)
    path, = get_map("planck").paths(tmp_path)
    with fits.open(path) as file:
        file[1].data["EBV"] *= 2
        file.writeto(tmp_path / "other.fits")
    (tmp_path / "other.fits").replace(path)
    assert read_ebv("planck", tmp_path, *here) == 2 * first[0]
    assert len(opened) == 2


def test_dust_is_sent_without_its_map(maps):
    dust = open_dust(Dereddening(map="sfd", directory=str(maps)))
    sent = pickle.dumps(dust)
    assert len(sent) < 5000
    table = pa.table({"coord_ra": [10.0, 200.0], "coord_dec": [20.0, -30.0]})
    assert np.array_equal(pickle.loads(sent).reddening(table, get_release("dp1")),
                          dust.reddening(table, get_release("dp1")))


def test_reddening_is_that_of_each_row_times_the_factor(maps):
    table = pa.table({
        "coord_ra": [10.0, None, 200.0], "coord_dec": [20.0, 0.0, -30.0],
        "ebv": pa.array([0.25, 0.5, None], pa.float32()),
        "ra": [0.0] * 3, "dec": [0.0] * 3,  # of the redshift, not of the object
    })
    release = get_release("dp1")

    def reddening(**choice):
        return Dust(Dereddening(directory=str(maps), **choice)).reddening(table, release)

    field = ebv_at(np.array([10.0, 200.0]), np.array([20.0, -30.0]))
    assert reddening(map="sfd")[[0, 2]] == pytest.approx(field, abs=1e-4)
    assert reddening(map="sfd", scale=0.5)[[0, 2]] == pytest.approx(field / 2, abs=1e-4)
    assert np.isnan(reddening(map="sfd")[1])
    assert np.array_equal(reddening(map="catalog", scale=2.0), [0.5, 1.0, np.nan], equal_nan=True)
    assert np.array_equal(reddening(map="none", scale=2.0), np.zeros(3))
    for name in ("sfd", "catalog", "none"):
        assert reddening(map=name).dtype == np.float64


def test_a_catalogue_without_reddening_cannot_give_it():
    dust = open_dust(Dereddening(map="catalog"))
    with pytest.raises(TsmError, match="sfd") as refused:
        dust.reddening(pa.table({"coord_ra": [1.0], "coord_dec": [1.0]}), get_release("dp1"))
    assert refused.value.codes == (Code.CATALOG_COLUMN,)


@pytest.mark.parametrize(("named", "rc"), [
    (False, None), (True, "{"), (False, json.dumps({"data_dir": "/elsewhere"})), (True, None)])
def test_the_configuration_of_dustmaps_is_neither_made_nor_changed_nor_heeded(
        named, rc, maps, tmp_path):
    """It is where it always is, or where the variable says."""
    files = [tmp_path / ".dustmapsrc", tmp_path / "named.rc"]
    for path in files:
        if rc is not None:
            path.write_text(rc)
    code = ("import sys, numpy; from pz_tsm_core.dust import map_keys, read_ebv\n"
            "for name in map_keys(): "
            "print(read_ebv(name, sys.argv[1], numpy.zeros(1), numpy.zeros(1))[0])")
    variable = {"DUSTMAPS_CONFIG_FNAME": str(files[1])} if named else {}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(maps)], check=True, capture_output=True,
        text=True, env={"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": os.pathsep.join(sys.path),
                        **variable})
    assert done.stderr == ""
    expected = [read_ebv(name, maps, np.zeros(1), np.zeros(1))[0] for name in map_keys()]
    assert [float(line) for line in done.stdout.split()] == expected
    assert [path.read_text() if path.exists() else None for path in files] == [rc, rc]
