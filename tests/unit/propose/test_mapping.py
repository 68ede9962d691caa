"""Which column is taken for what, on tables whose makers we know."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import constants
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.inspection.column import columns_of
from pz_tsm_core.propose.entry import as_own
from pz_tsm_core.propose.mapping import map_columns

RNG = np.random.default_rng(3)
N = 60


def table(**columns):
    """A table of a position, a redshift and more; `None` leaves a column out."""
    usual = {"ra": RNG.uniform(149, 151, N), "dec": RNG.uniform(1, 3, N),
             "z": RNG.uniform(0.01, 3, N)}
    given = {name: values for name, values in {**usual, **columns}.items() if values is not None}
    return pa.table(given)


def fields(found):
    """Names of the columns of a mapping, by role."""
    named = {"ra": found.ra.columns, "dec": found.dec.columns, "z": (found.z.column,)}
    named |= {role: (choice.column,) for role in ("id", "z_err", "object_class", "instrument_type")
              if (choice := getattr(found, role))}
    return {role: " ".join(column.name for column in columns) for role, columns in named.items()}


def mapped(rows):
    return fields(map_columns(columns_of(rows)))


# Columns of public catalogues (ReadMe files at CDS, data models of DESI, SDSS, LSST, PZ Server).
@pytest.mark.parametrize("names", [
    ("_RAJ2000", "_DEJ2000", "zsp"),
    ("RAdeg", "DEdeg", "z"),
    ("coord_ra", "coord_dec", "redshift"),
    ("ALPHA_J2000", "DELTA_J2000", "Z_BEST"),
    ("TARGET_RA", "TARGET_DEC", "Z"),
    ("PLUG_RA", "PLUG_DEC", "Z_NOQSO"),
    ("specz_ra", "specz_dec", "specz_redshift"),
    ("ra_corrected", "dec_corrected", "specz"),
    ("RA_TARG", "Dec_TARG", "z_Spec"),
    ("Right Ascension", "Declination", "Redshift"),
    ("RA (deg)", "Dec (deg)", "spec-z"),
    ("RA_ICRS", "DE_ICRS", "zHelio"),
])
def test_spellings_of_public_catalogues_are_understood(names):
    rows = table(flux_i=RNG.uniform(1, 9, N)).rename_columns([*names, "flux_i"])
    found = mapped(rows)
    assert (found["ra"], found["dec"], found["z"]) == names


def test_ucds_tell_columns_whose_names_say_nothing():
    ucds = {"a": "pos.eq.ra;meta.main", "b": "pos.eq.dec;meta.main", "c": "src.redshift",
            "d": "meta.id;meta.main", "e": "stat.error;src.redshift"}
    values = {"e": RNG.uniform(1e-4, 1e-3, N), "d": np.arange(N), "c": RNG.uniform(0, 2, N),
              "b": RNG.uniform(-5, 5, N), "a": RNG.uniform(0, 10, N)}
    schema = pa.schema([pa.field(name, pa.array(array).type, metadata={"ucd": ucds[name]})
                        for name, array in values.items()])
    found = mapped(pa.table([pa.array(array) for array in values.values()], schema=schema))
    assert found == {"ra": "a", "dec": "b", "z": "c", "id": "d", "z_err": "e"}


def test_coordinates_of_another_equinox_point_or_frame_give_way():
    others = {"ra_b1950": RNG.uniform(0, 9, N), "dec_b1950": RNG.uniform(0, 9, N),
              "PLATE_RA": RNG.uniform(0, 9, N), "PLATE_DEC": RNG.uniform(0, 9, N),
              "GLON": RNG.uniform(0, 9, N), "e_RA": RNG.uniform(0, 9, N), "pmRA": np.zeros(N)}
    rows = pa.table({**others, "ra_j2000": RNG.uniform(0, 9, N), "dec_j2000": RNG.uniform(0, 9, N),
                     "z": RNG.uniform(0, 2, N)})
    assert mapped(rows) == {"ra": "ra_j2000", "dec": "dec_j2000", "z": "z"}


def test_a_coordinate_goes_with_its_partner():
    values = {name: RNG.uniform(10, 11, N) for name in ("RA_HST", "Dec_HST", "Dec_VLT", "RA_VLT")}
    rows = pa.table({"Dec_other": values["Dec_VLT"], **values, "z": RNG.uniform(0, 2, N)})
    assert mapped(rows)["ra"][3:] == mapped(rows)["dec"][4:]


def test_magnitudes_photometric_redshifts_and_flags_are_no_redshifts():
    rows = table(z=RNG.uniform(17, 25, N), zphot=RNG.uniform(0, 3, N), zq=RNG.integers(0, 5, N),
                 z_err=np.full(N, 1e-4), zspec=RNG.uniform(0, 3, N), z_upper=RNG.uniform(0, 3, N))
    found = mapped(rows)
    assert (found["z"], found["z_err"]) == ("zspec", "z_err")


def test_of_two_redshifts_the_one_that_more_rows_have_is_taken():
    few = np.where(np.arange(N) < 5, 0.5, -1.0)
    assert mapped(table(z=None, z_spec=few, z_best=RNG.uniform(0, 2, N)))["z"] == "z_best"


def test_an_id_names_rows_and_one_that_repeats_takes_its_field_along():
    repeated = np.arange(N) // 2
    found = map_columns(columns_of(table(
        ID=repeated, field=np.where(np.arange(N) % 2, "cosmos", "uds"), brick_id=np.arange(N))))
    assert (found.id.column.name, found.id_part.name) == ("ID", "field")
    unique = map_columns(columns_of(table(ID=np.arange(N), field=np.full(N, "uds"))))
    assert (unique.id.column.name, unique.id_part) == ("ID", None)


def test_classes_are_known_words_and_morphological_types_are_none():
    words = np.where(np.arange(N) % 3, "GALAXY ", "QSO")
    rows = table(TYPE=np.where(np.arange(N) % 2, "Sb", "E0"), SPECTYPE=words,
                 method=np.where(np.arange(N) % 2, "spec", "grism"))
    found = mapped(rows)
    assert (found["object_class"], found["instrument_type"]) == ("SPECTYPE", "method")


SKY = SkyCoord(RNG.uniform(0, 360, N), RNG.uniform(-90, 90, N), unit="deg")


def made(rows):
    """The standard rows that a proposal makes of a table whose id is its row."""
    entry = as_own("mine", "mine.csv", rows, columns_of(rows))
    return entry, entry.trial.table.to_pandas().set_index("native_id")


def positions(**columns):
    return table(ra=None, dec=None, name=[f"{n:03d}" for n in range(N)], **columns)


@pytest.mark.parametrize("rows", [
    positions(RA=SKY.ra.to_string(u.hourangle, sep=":", precision=7),
              DEC=SKY.dec.to_string(u.deg, sep=":", precision=6, alwayssign=True)),
    positions(RA=SKY.ra.to_string(u.hourangle, precision=7),
              DEC=SKY.dec.to_string(u.deg, precision=6)),
    positions(RA=SKY.ra.to_string(u.deg, sep=" ", precision=6),
              DEC=SKY.dec.to_string(u.deg, sep=" ", precision=6)),
    positions(RAh=SKY.ra.hms.h, RAm=SKY.ra.hms.m, RAs=SKY.ra.hms.s,
              **{"DE-": np.where(SKY.dec.deg < 0, "-", "+")}, DEd=abs(SKY.dec.dms.d).astype(int),
              DEm=abs(SKY.dec.dms.m).astype(int), DEs=abs(SKY.dec.dms.s)),
], ids=["colons", "letters", "degrees in both", "parts, as at CDS"])
def test_sexagesimal_positions_become_those_that_astropy_reads(rows):
    entry, standard = made(rows)
    assert entry.kind == "definition"
    there = SkyCoord(standard["ra"], standard["dec"], unit="deg")
    order = np.array([int(name) for name in standard.index])
    assert there.separation(SKY[order]).arcsec.max() < 1e-3


def test_right_ascensions_in_hours_become_degrees():
    rows = positions(RA=SKY.ra.hourangle, DEC=SKY.dec.deg)
    place = rows.schema.get_field_index("RA")
    rows = rows.set_column(place, pa.field("RA", pa.float64(), metadata={"unit": "h"}), rows["RA"])
    standard = made(rows)[1]
    np.testing.assert_allclose(standard["ra"], SKY.ra.deg[[int(n) for n in standard.index]])


@pytest.mark.parametrize("unit", ["km/s", "km s-1", "km.s**-1", "km s^-1", "km / s", ""])
def test_velocities_become_redshifts(unit):
    cz = RNG.uniform(500, 60_000, N)
    rows = table(z=None, name=[f"{n:03d}" for n in range(N)])
    rows = rows.append_column(pa.field("cz", pa.float64(), metadata={"unit": unit}), pa.array(cz))
    standard = made(rows)[1]
    expected = cz / constants.c.to_value(u.km / u.s)
    np.testing.assert_allclose(standard["z"], expected[[int(n) for n in standard.index]])


def test_text_that_holds_redshifts_and_words_for_none_is_read():
    words = ["..."] * 10 + [f"{z:.4f}" for z in np.linspace(0.1, 2, N - 10)]
    entry, standard = made(table(z=words, name=[f"{n:03d}" for n in range(N)]))
    assert entry.trial.rows.dropped == {"no_redshift": 10}
    np.testing.assert_allclose(sorted(standard["z"]), np.linspace(0.1, 2, N - 10), atol=1e-4)


@pytest.mark.parametrize(("columns", "code"), [
    ({"ra": None, "dec": None}, Code.TABLE_MISSING_COLUMN),
    ({"z": None}, Code.TABLE_MISSING_COLUMN),
    ({"ra": np.linspace(-170, 170, N)}, Code.POSITION_RANGE),
    ({"ra": ["ten"] * N}, Code.TABLE_MISSING_COLUMN),
    ({"z": ["much"] * N}, Code.TABLE_MISSING_COLUMN),
    ({"z": RNG.integers(0, 4, N)}, Code.TABLE_MISSING_COLUMN),
])
def test_what_cannot_be_a_redshift_table_is_refused(columns, code):
    with pytest.raises(TsmError) as refused:
        map_columns(columns_of(table(**columns)))
    assert refused.value.codes == (code,)


def test_a_refusal_names_all_that_is_missing_and_the_columns_there_are():
    with pytest.raises(TsmError) as refused:
        map_columns(columns_of(pa.table({"objectId": [1, 2], "i_mag": [20.0, 21.0]})))
    assert [problem.where for problem in refused.value.problems] == ["a position", "a redshift"]
    assert all("objectId, i_mag" in problem.found for problem in refused.value.problems)


def test_radians_are_told_from_degrees_by_their_unit():
    rows = table(ra=None, dec=None)
    for name, values in (("ra", SKY.ra.rad), ("dec", SKY.dec.rad)):
        rows = rows.append_column(pa.field(name, pa.float64(), metadata={"unit": "rad"}),
                                  pa.array(values))
    with pytest.raises(TsmError) as refused:
        map_columns(columns_of(rows))
    assert refused.value.codes == (Code.TABLE_UNIT, Code.TABLE_UNIT)
