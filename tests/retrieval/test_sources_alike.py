"""One catalogue at every kind of source is one table, and a cut network makes no other.

Real servers, all on this machine: DaCHS for TAP, rclone for S3. VizieR and SkyServer cannot be had
(tests/sources replays them).
"""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.model.retrieval import FetchLimits, Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval import fetch_survey
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys.definition import parse_survey
from tests.sources import dachs
from tests.sources.cutting import cutting_network
from tests.sources.s3_servers import needs_rclone, s3_server

DEFINITION = """\
schema: 1
key: made_up
ordinal: 1000000
name: The survey of the test server
facility: VLT/VIMOS
release: R1
year: 2026
sources: [{{service: {service}, url: "{url}", table: "{table}"}}]
types: {{id: int, RAJ2000: float, DEJ2000: float, z: float, e_z: float, q: int, flag: text,
        Name: text, is_primary: bool}}
columns:
  id: {{from: id}}
  ra: {{from: RAJ2000, unit: deg}}
  dec: {{from: DEJ2000, unit: deg}}
  z: {{from: z, nulls: [-9.9]}}
  z_err: {{from: e_z}}
  native_flag: {{from: flag}}
  others: [q, Name, is_primary]
quality: {{otherwise: 3, source: "section 4"}}
object_class: {{otherwise: galaxy, source: "section 4"}}
instrument_type: {{otherwise: s, source: slit spectra}}
"""

REGIONS = [Wanted(), Wanted(region=Region(cone=(0.0, -20.0, 25.0))),
           Wanted(region=Region(box=(300, 53.1, -60, 10)))]


def survey_at(service, url="", table=""):
    return parse_survey(DEFINITION.format(service=service, url=url, table=table), "made_up.yaml")


def fetched(folder, survey, wanted=REGIONS[0], **limits):
    reach = Reach(FetchLimits(**{"total_seconds": 240, "per_second": 1000, "piece_rows": 20_000,
                                 "stall_seconds": 20, "retries": 10, **limits}))
    return fetch_survey(open_store(folder), survey, wanted, reach=reach, policy="always")


@pytest.fixture(scope="module")
def catalogue():
    """The rows of the test server, but for those without a position, which HATS cannot hold."""
    table = dachs.truth().select([name for name in dachs.TYPES if name != "class"])
    return table.filter(pc.is_valid(pc.if_else(pc.is_nan(table["RAJ2000"]), None,
                                               table["RAJ2000"])))


@pytest.fixture(scope="module")
def files(catalogue, tmp_path_factory):
    """The catalogue as files of three kinds in a bucket."""
    folder = tmp_path_factory.mktemp("files")
    bucket = folder / "specz"
    bucket.mkdir()
    pq.write_table(catalogue, bucket / "made_up.parquet")
    write_table_as_collection(catalogue, bucket / "made_up_hats", "made_up", ra_column="RAJ2000",
                              dec_column="DEJ2000", rows_per_partition=20_000)
    return folder


@needs_rclone
@pytest.mark.parametrize("wanted", REGIONS, ids=["whole", "cone", "box across 0"])
def test_equal_catalogues_are_equal_tables_wherever_they_come_from(
    wanted, files, tap, monkeypatch, tmp_path
):
    parquet = files / "specz" / "made_up.parquet"
    with s3_server(files, public=True) as server:
        server.allow(monkeypatch, key="", secret="")
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", f"{server.address},{dachs.HOST}")
        places = {
            "file": survey_at("file", str(parquet)),
            "s3": survey_at("s3", "s3://specz/made_up.parquet"),
            "hats": survey_at("hats", str(files / "specz" / "made_up_hats")),
            "hats on s3": survey_at("hats", "s3://specz/made_up_hats"),
            "https": survey_at("https", f"http://{server.address}/specz/made_up.parquet"),
        }
        contents = {name: fetched(tmp_path / name, survey, wanted).ref.content
                    for name, survey in places.items()}
        if not wanted.whole:  # the service has the rows without a position, too
            by_query = fetched(tmp_path / "tap", survey_at("tap", tap, "pztsm.redshifts"), wanted)
            contents["tap"] = by_query.ref.content
    assert len(set(contents.values())) == 1, contents


def test_a_tap_service_gives_the_rows_of_a_file_to_the_last(tap, tmp_path):
    path = tmp_path / "all.parquet"
    pq.write_table(dachs.truth().select([name for name in dachs.TYPES if name != "class"]), path)
    from_file = fetched(tmp_path / "one", survey_at("file", str(path)))
    from_service = fetched(tmp_path / "two", survey_at("tap", tap, "pztsm.redshifts"))
    assert from_service.record.rows == len(dachs.truth())
    assert from_service.ref.content == from_file.ref.content


@needs_rclone
def test_fifty_cuts_at_random_places_change_nothing(files, monkeypatch, tmp_path):
    """Through a network that breaks every connection but the last after some random bytes."""
    whole = fetched(tmp_path / "whole",
                    survey_at("file", str(files / "specz" / "made_up.parquet"))).ref.content
    size = (files / "specz" / "made_up.parquet").stat().st_size
    chance, broken = random.Random(50), 0
    with s3_server(files, public=True) as server:
        for number in range(10):
            cuts = [chance.randrange(1, size // 3) for _ in range(6)]
            with cutting_network(server.address, cuts) as network:
                server.allow(monkeypatch, via=network.address, key="", secret="")
                url = f"http://{network.address}/specz/made_up.parquet"
                service = ("https", "s3")[number % 2]
                url = url if service == "https" else "s3://specz/made_up.parquet"
                came = fetched(tmp_path / f"{number}", survey_at(service, url))
                broken += network.broken
            assert came.ref.content == whole
    assert broken >= 50


def test_the_rows_of_pieces_stay_within_what_was_counted(tap, tmp_path):
    """Pieces of any size give every row once: ids are distinct, and all are there."""
    survey = survey_at("tap", tap, "pztsm.redshifts")
    for rows in (25_000, 61_000):
        came = fetched(tmp_path / f"{rows}", survey, piece_rows=rows)
        table = open_store(tmp_path / f"{rows}").read_table(came.ref, "native", ["id"])
        assert pc.count_distinct(table["id"]).as_py() == len(table) == len(dachs.truth())


def test_text_and_numbers_come_as_they_are(tap, tmp_path):
    came = fetched(tmp_path / "store", survey_at("tap", tap, "pztsm.redshifts"))
    table = open_store(tmp_path / "store").read_table(came.ref, "native").sort_by("id")
    truth = dachs.truth()
    assert table["id"].to_pylist() == truth["id"].to_pylist()
    names = [name.strip() or None for name in truth["Name"].to_pylist()]
    assert table["Name"].to_pylist() == names
    assert table["q"].to_pylist() == truth["q"].to_pylist()
    assert pa.types.is_float64(table.schema.field("z").type)
