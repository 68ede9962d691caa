"""What the how-to pages show is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
TSM = Path(sys.executable).with_name("tsm")
FIELD = ["deep_field.csv", "surveys/deep_field.yaml", "recipe.yaml"]
#: The files that a page has one save.
FILES = {"add_a_survey": FIELD, "fetch": FIELD, "dust": [], "combine_existing_configs": [
    "deep.csv", "wide.csv", "flags_translation.yaml", "config.yaml"],
    "match_existing_configs": ["june.yaml", "july.yaml"],
    "own_catalogue": ["objects.yaml", "recipe.yaml"]}


@dataclass(frozen=True)
class Followed:
    """A page followed in an empty folder: its files saved, its commands typed.

    Blocks marked `console` are for machines with internet, and are left alone.
    """

    text: str
    folder: Path
    told: dict[str, subprocess.CompletedProcess[str]]

    def blocks(self, language):
        return _blocks(self.text, language)

    def said(self, words):
        """What the one command with these words said."""
        output, = (done.stdout for line, done in self.told.items() if words in line)
        return output

    def run_python(self, monkeypatch):
        """The code of the page run there; its names."""
        monkeypatch.chdir(self.folder)
        monkeypatch.setenv("PZ_TSM_STORE", str(self.folder / "store"))
        names: dict[str, Any] = {}
        code, = self.blocks("python")
        exec(compile(code, "page", "exec"), names)
        return names


def _blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _type(line, folder):
    return subprocess.run(
        [TSM, *shlex.split(line)[1:]], cwd=folder, capture_output=True, text=True, check=False,
        timeout=240, env={**os.environ, "PZ_TSM_STORE": str(folder / "store")})


@pytest.fixture(scope="module")
def follow(tmp_path_factory):
    @cache
    def once(name):
        text = (PAGES / f"{name}.md").read_text("utf-8")
        folder = tmp_path_factory.mktemp(name)
        (folder / "surveys").mkdir()
        saved = re.findall(r"[Ss]ave this as `(.+?)`:\n\n```\w+\n(.*?)```", text, re.DOTALL)
        assert [file for file, _ in saved] == FILES[name]
        for file, content in saved:
            (folder / file).write_text(content)
        lines = "".join(_blocks(text, "sh")).splitlines()
        return Followed(text, folder, {line: _type(line, folder) for line in lines})

    return once


@pytest.mark.parametrize(("page", "commands"), [
    ("add_a_survey", 6), ("fetch", 5), ("combine_existing_configs", 3), ("dust", 3),
    ("match_existing_configs", 4), ("own_catalogue", 3)])
def test_every_command_of_a_page_succeeds(page, commands, follow):
    told = follow(page).told
    assert len(told) == commands
    assert {line: done.stderr for line, done in told.items() if done.returncode} == {}


@pytest.fixture
def added(follow):
    return follow("add_a_survey")


@pytest.fixture
def fetched(follow):
    return follow("fetch")


@pytest.fixture
def combined(follow):
    return follow("combine_existing_configs")


@pytest.fixture
def matched(follow):
    return follow("match_existing_configs")


def test_the_page_shows_what_the_check_tells(added):
    check = added.said("--sample")
    shown, = added.blocks("text")
    assert shown in check
    assert "1 no_redshift" in check
    assert "worth knowing" not in check  # the definition leaves nothing to say


def test_the_survey_is_found_where_it_looked(added):
    assert "deep_field" in added.said(" search ").partition("more may be meant")[0]


def test_the_redshifts_are_those_of_the_paper(added):
    """By hand: z = cz / 299792.458; qualities as the table of the paper says."""
    files = [path for path in (added.folder / "store").rglob("measurements.parquet")
             if "quality" in pq.read_schema(path).names]
    rows = pq.read_table(files[0]).to_pandas().set_index("native_id")
    expected = {"1": (0.5, 4, "unknown"), "2": (0.1, 3, "unknown"), "3": (0.2, 1, "unknown"),
                "4": (-30 / 299792.458, 4, "star"), "6": (0.3, 0, "unknown")}
    assert {name: (pytest.approx(row.z), row.quality, row.object_class)
            for name, row in rows.iterrows()} == expected


def test_the_python_of_the_page_runs(added, monkeypatch):
    names = added.run_python(monkeypatch)
    assert len(names["redshifts"]) == 5
    assert "&#39;D&#39;" in names["page"]._repr_html_()


def test_the_sources_of_the_page_are_checked(added):
    told = added.said("--sources")
    assert "J/A+A/700/A1/table2" in told
    assert "by hand" in told


def test_a_catalogue_and_a_part_of_it_are_fetched(fetched, monkeypatch):
    """The fourth row lies two degrees away."""
    whole, part = (line.split() for line in fetched.said("products list").splitlines()[1:])
    assert (whole[0], whole[2]) == ("deep_field@1", "4")
    assert (part[0].partition("-")[0], part[2]) == ("deep_field", "3")
    names = fetched.run_python(monkeypatch)
    assert (str(names["fetched"].version), names["fetched"].state) == (part[0], "unchanged")
    assert sorted(names["rows"]["ID"]) == [1, 2, 3]


def test_the_recipe_takes_what_was_fetched(fetched):
    rows = pq.read_table(fetched.folder / "output" / "measurements.parquet")
    assert sorted(rows["native_id"].to_pylist()) == ["1", "2", "3", "4"]


def test_an_existing_configuration_gives_what_its_page_tells(combined, monkeypatch):
    shown, = combined.blocks("text")
    assert combined.told["tsm combine config.yaml"].stdout == shown
    ties = combined.run_python(monkeypatch)["ties"]
    assert ties == {"CRD001_1": 1, "CRD002_1": 0, "CRD001_2": 2, "CRD002_2": 2, "CRD001_3": 3,
                    "CRD002_3": 1}
    product = pq.read_table(combined.folder / "outputs" / "crd.parquet")
    assert product["tie_result"].to_pylist() == [
        ties[id_] for id_ in product["CRD_ID"].to_pylist()]


def test_the_sets_of_coefficients_differ_by_what_the_page_says(follow, monkeypatch):
    """By hand: (4.81 - 4.145) * 0.05 in u."""
    page = follow("dust")
    assert "sfd     yes" in page.said("dustmaps list")
    names = page.run_python(monkeypatch)
    assert names["fainter"].tolist() == pytest.approx([(4.81 - 4.145) * 0.05])
    assert names["own"]["ebv_applied"].iloc[0] > 0.02  # of the mock's dust
    assert "lsst_dm" in names["told"]


def test_an_existing_match_gives_what_its_page_tells(matched, monkeypatch):
    shown, = matched.blocks("text")
    assert matched.told["tsm match june.yaml"].stdout == shown
    training = matched.run_python(monkeypatch)["training"]
    product = pq.read_table(matched.folder / "process007" / "outputs" / "tsm.parquet")
    assert product.column_names[-6:] == [
        "g_cModelMag_dered", "g_cModelMagErr_dered", "i_cModelMag_dered", "i_cModelMagErr_dered",
        "_dist_arcsec", "is_training_set"]
    assert len(training) == sum(product["is_training_set"].to_pylist())


def test_a_catalogue_of_ones_own_gives_what_its_page_asks_for(follow, monkeypatch):
    own = follow("own_catalogue")
    rows = pq.read_table(own.folder / "output" / "training_set.parquet").to_pandas()
    assert len(rows) > 5
    assert {"tract", "mag_i_psf", "snr_z", "det_g", "refExtendedness"} <= set(rows.columns)
    assert not {"mag_u", "i_psfFlux_flag"} & set(rows.columns)
    assert (rows.mag_i < 24).all()
    assert (rows.refExtendedness == 1).all()
    assert (rows.snr_i >= 5).all()
    red = own.run_python(monkeypatch)["red"]
    assert (red["mag_g"] - red["mag_r"] > 0.5).all()
    assert len(red)
