import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.service import SITE, load_site, site_here


def test_relative_paths_start_at_the_folder_of_the_file(written, tmp_path) -> None:
    site = load_site(written("""\
schema: 1
store: store
results: {directory: out}
catalogs:
  mine: {path: sky, release: profile.yaml}
  far: {path: "https://example.org/hats", release: generic}
dust: maps
""".replace("profile.yaml", "dp1")))
    assert site.store == str(tmp_path / "store")
    assert site.results.directory == str(tmp_path / "out")
    assert site.catalogs["mine"].path == str(tmp_path / "sky")
    assert site.catalogs["far"].path == "https://example.org/hats"
    assert site.dust == str(tmp_path / "maps")
    assert site.survey_path is None


def test_all_mistakes_are_told_at_once_with_their_lines(written) -> None:
    with pytest.raises(TsmError) as told:
        load_site(written("""\
schema: 1
store: store
results: {directory: out}
catalogs:
  mine: {path: sky, release: dp9}
refresh:
  surveys: [vandels, vandals]
  schedule: {cron: "0 3 * * 1", timezone: America/Santiagi}
"""))
    assert set(told.value.codes) == {Code.SITE_INVALID}
    assert [problem.where for problem in told.value.problems] == [
        "site.yaml line 5: catalogs.mine.release", "site.yaml line 7: refresh.surveys.1",
        "site.yaml line 8: refresh.schedule.timezone"]
    assert "America/Santiago" in told.value.problems[2].remedy


@pytest.mark.parametrize(("line", "where"), [
    ("stor: 1", "line 4: stor"), ("retries: 99", "line 4: retries"),
    ("maintenance: {cron: daily}", "line 4: maintenance.cron"),
    ("cluster: {kind: address}", "line 4: cluster"),
    ("results: {directory: x}", "line 4: results"),
])
def test_what_is_no_site_is_refused_where_it_stands(line, where, written) -> None:
    with pytest.raises(TsmError) as told:
        load_site(written(f"schema: 1\nstore: store\nresults: {{directory: out}}\n{line}\n"))
    assert told.value.codes == (Code.SITE_INVALID,)
    assert where in told.value.problems[0].where


def test_a_process_without_a_site_says_how_to_name_one(monkeypatch) -> None:
    monkeypatch.delenv(SITE, raising=False)
    with pytest.raises(TsmError) as told:
        site_here()
    assert told.value.codes == (Code.SITE_MISSING,)
    assert SITE in told.value.problems[0].remedy


def test_what_is_for_one_person_has_no_address(site) -> None:
    folder = site.results.directory
    assert site.shown_at(f"{folder}/alice/mine") == "https://pz.example.org/results/alice/mine"
    assert site.shown_at(f"{folder}/private/alice/mine") is None
