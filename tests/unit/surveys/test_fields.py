"""Which part of the sky is meant: names of fields, shapes and MOCs, against astropy and mocpy."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from importlib.resources import files

import numpy as np
import pytest
import yaml
from astropy import units as u
from astropy.coordinates import SkyCoord
from mocpy import MOC

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.surveys.fields import SkyFields, field, fields, region_of
from pz_tsm_core.surveys.moc import MAX_BYTES, moc_of_text
from pz_tsm_core.surveys.region import distance

#: The centres of LSST DP1 as the existing pipeline has them, in its order.
DP1 = {"47_tuc": (6.02, -72.08), "rubin_sv_38_7": (37.86, 6.98), "fornax_dsph": (40.00, -34.45),
       "ecdfs": (53.13, -28.10), "edfs": (59.10, -48.73), "rubin_sv_095_25": (95.00, -25.00),
       "seagull": (106.23, -10.51)}

#: The deep drilling fields as the scheduler of the LSST writes them.
DEEP = {"elais_s1": SkyCoord("00:37:48 -44:01:30", unit=(u.hourangle, u.deg)),
        "xmm_lss": SkyCoord("02:22:18 -04:49:00", unit=(u.hourangle, u.deg)),
        "ecdfs": SkyCoord("03:31:55 -28:07:00", unit=(u.hourangle, u.deg)),
        "cosmos": SkyCoord("10:00:26 +02:14:01", unit=(u.hourangle, u.deg)),
        "edfs_a": SkyCoord(58.90, -49.32, unit="deg"),
        "edfs_b": SkyCoord(63.60, -47.60, unit="deg")}


def centre(name):
    ra, dec, _ = field(name).cone
    return SkyCoord(ra, dec, unit="deg")


@pytest.mark.parametrize("name", DP1)
def test_the_fields_of_dp1_are_where_the_existing_pipeline_has_them(name):
    assert field(name).cone == (*DP1[name], 2.5)


@pytest.mark.parametrize("name", DEEP)
def test_a_deep_drilling_field_holds_the_view_of_the_camera(name):
    away = centre(name).separation(DEEP[name]).deg
    assert away < (0.2 if name == "ecdfs" else 1e-4)
    assert field(name).cone[2] >= 1.75 + away  # the radius of its field of view


def test_no_other_fields_have_names():
    assert set(fields()) == {*DP1, *DEEP}


def test_every_field_says_where_it_comes_from_and_can_name_a_product():
    for name, each in fields().items():
        assert each.source
        assert Wanted(region=each.region, field=name).product("x").startswith(f"x-{name[:15]}-")


@pytest.mark.parametrize(("written", "name"), [
    ("ecdfs", "ecdfs"), ("ECDFS", "ecdfs"), ("CDF-S", "ecdfs"), ("ELAIS-S1", "elais_s1"),
    ("ELAISS1", "elais_s1"), ("XMM-LSS", "xmm_lss"), ("47 Tuc", "47_tuc"), ("47_Tuc", "47_tuc"),
    ("Fornax dSph", "fornax_dsph"), ("Rubin_SV_095_-25", "rubin_sv_095_25"),
    ("Rubin_SV_38_7", "rubin_sv_38_7"), ("EDFS_comcam", "edfs"), ("EDFS a", "edfs_a"),
])
def test_fields_are_found_however_people_write_them(written, name):
    assert field(written) == fields()[name].region
    assert region_of(written) == {"region": fields()[name].region, "field": name}


@pytest.mark.parametrize(("written", "meant"), [("cosmo", "cosmos"), ("elais_s2", "elais_s1"),
                                                ("xmmls", "xmmlss"), ("seagul", "seagull")])
def test_an_unknown_field_is_refused_with_the_nearest(written, meant):
    for read in (field, region_of):
        with pytest.raises(TsmError, match=f"did you mean `{meant}`") as refused:
            read(written)
        assert refused.value.codes == (Code.VALUE_RANGE,)


@pytest.mark.parametrize(("text", "region"), [
    ("cone 53.13 -28.1 0.5", {"cone": (53.13, -28.1, 0.5)}),
    ("CONE 53.13, -28.1, 0.5", {"cone": (53.13, -28.1, 0.5)}),
    ("box 350 10 -5 5", {"box": (350, 10, -5, 5)}),
    ("box 0,360,-90,+90", {"box": (0, 360, -90, 90)}),
])
def test_shapes_are_read(text, region):
    assert region_of(text) == {"region": Region(**region)}
    assert Wanted(**region_of(text)).region == Region(**region)


def test_a_cone_holds_what_astropy_says_is_inside():
    """The distance to a region, which the exact cut rests on, for every named field."""
    random = np.random.default_rng(5)
    for each in fields().values():
        ra, dec, radius = each.region.cone
        there = SkyCoord(ra, dec, unit="deg").directional_offset_by(
            random.uniform(0, 360, 40) * u.deg, random.uniform(0, 2, 40) * radius * u.deg)
        inside = there.separation(SkyCoord(ra, dec, unit="deg")).deg <= radius
        assert inside.any()
        assert not inside.all()
        assert [distance(each.region, at.ra.deg, at.dec.deg) == 0 for at in there] == list(inside)


@pytest.mark.parametrize("text", [
    "", " ", "cone", "cone 53 -28", "cone 1 2 3 4", "cone a b c", "cone nan 0 1", "cone inf 0 1",
    "cone 400 0 1", "cone 0 91 1", "cone 0 0 0", "cone 0 0 181", "cone 0 0 -1", "box 1 2 3",
    "box 0 10 5 5", "box 0 10 6 5", "box 0 361 5 6", "circle 1 2 3", "150.1 2.2", "nowhere",
    "a\0b", "x" * 5000, "/", "polygon 1 2 3 4 5 6",
])
def test_what_is_no_region_is_refused_with_all_the_forms(text):
    with pytest.raises(TsmError) as refused:
        region_of(text)
    assert refused.value.codes == (Code.VALUE_RANGE,)
    told = str(refused.value)
    for form in ("ecdfs", "cone RA DEC RADIUS", "box RA RA DEC DEC", "3/12 4/100-103", "FITS"):
        assert form in told
    assert len(told) < 1000


MOCS = ["3/12 4/100-103 5/7", "0/0-11", "29/12345", "0/5 3/1 2 9"]


@pytest.mark.parametrize("text", MOCS)
def test_a_moc_is_the_same_in_every_form(text, tmp_path):
    moc = MOC.from_string(text, "ascii")
    plain = region_of(text)["moc"]
    assert MOC.from_string(plain, "ascii") == moc
    for form, ending in [("fits", "fits"), ("json", "json"), ("ascii", "txt")]:
        path = tmp_path / f"My Footprint.{ending}"
        moc.save(str(path), format=form)
        assert region_of(str(path)) == {"moc": plain, "field": "my_footprint"}
        assert Wanted(**region_of(str(path))).product("x").startswith("x-my_footprint-")


def test_equal_mocs_are_written_equally():
    assert len({moc_of_text(text) for text in (
        "3/12 4/100-103", "4/100-103 3/12", "4/100 101 102,103 3/12", "4/48-51 3/25",
        "3/12 25 4/", " 3/12\n25 ")}) == 1


@pytest.mark.parametrize("text", [
    "3/12-5", "30/1", "3/9999999", "3/", "0/12", "3/-5", "3/1-", "3/1 3/1", "3/" + "1" * 5000])
def test_what_only_looks_like_a_moc_is_refused(text):
    with pytest.raises(TsmError) as refused:
        region_of(text)
    assert refused.value.codes == (Code.VALUE_RANGE,)


def test_files_that_are_no_moc_are_refused(tmp_path):
    whole = tmp_path / "whole.fits"
    MOC.from_string("3/12 4/100", "ascii").save(str(whole), format="fits")
    cases = {
        "cut.fits": (whole.read_bytes()[:3000], Code.VALUE_RANGE),
        "text.txt": (b"ra,dec\n1,2\n", Code.VALUE_RANGE), "empty.moc": (b"", Code.VALUE_RANGE),
        "other.json": (b'{"a": [1]}', Code.VALUE_RANGE), "none.json": (b"{}", Code.VALUE_RANGE),
        "bytes.txt": (bytes(range(256)), Code.VALUE_RANGE),
        "large.txt": (b"3/1" + b" " * MAX_BYTES, Code.FILE_LIMIT),
    }
    for name, (content, code) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TsmError) as refused:
            region_of(str(tmp_path / name))
        assert refused.value.codes == (code,), name
    os.mkfifo(tmp_path / "pipe.fits")
    for name in ("pipe.fits", "missing.fits", "a\0b.fits"):
        with pytest.raises(TsmError):
            region_of(str(tmp_path / name))


def test_damaged_files_are_refused_or_read_and_nothing_else(tmp_path, capfd):
    """Among 300 damaged files there are some over which the parser itself panics."""
    path = tmp_path / "damaged.fits"
    MOC.from_string("3/12 4/100", "ascii").save(str(path), format="fits")
    whole, random = path.read_bytes(), np.random.default_rng(1)
    for _ in range(300):
        content = bytearray(whole)
        for at in random.integers(0, len(content), 30):
            content[at] = random.choice(list(b"0123456789-/ {}[],"))
        path.write_bytes(content)
        with suppress(TsmError):
            assert re.match(r"\d+/\d", region_of(str(path))["moc"])
    capfd.readouterr()  # what the parser writes while it panics


def test_no_two_fields_answer_to_one_name():
    region = {"cone": [1, 2, 3]}
    one = {"about": "one", "region": region, "source": "me"}
    assert checked(SkyFields, schema=1, fields={"a": one, "b": one})
    for two in ({**one, "aliases": ["a"]}, {**one, "aliases": ["c", "c"]}):
        with pytest.raises(TsmError, match="every name once"):
            checked(SkyFields, schema=1, fields={"a": one, "b": two})


def test_a_field_means_what_its_file_says():
    content = yaml.safe_load((files("pz_tsm_core.surveys") / "fields.yaml").read_text("utf-8"))
    assert {name: Region(**each["region"]) for name, each in content["fields"].items()} == {
        name: each.region for name, each in fields().items()}
