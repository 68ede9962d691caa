"""What the how-to pages show is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "add_a_survey.md").read_text("utf-8")
TSM = Path(sys.executable).with_name("tsm")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The page followed in an empty folder: its files saved, its commands typed, its code run."""
    folder = tmp_path_factory.mktemp("followed")
    (folder / "surveys").mkdir()
    saved = re.findall(r"[Ss]ave this as `(.+?)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    for name, text in saved:
        (folder / name).write_text(text)
    environment = {**os.environ, "PZ_TSM_STORE": str(folder / "store")}
    told = {}
    for line in "".join(blocks("sh")).splitlines():
        done = subprocess.run([TSM, *shlex.split(line)[1:]], cwd=folder, capture_output=True,
                              text=True, check=False, timeout=240, env=environment)
        told[line] = done
    return folder, [name for name, _ in saved], told


def test_every_command_of_the_page_succeeds(followed):
    _, saved, told = followed
    assert saved == ["deep_field.csv", "surveys/deep_field.yaml", "recipe.yaml"]
    assert len(told) == 6
    assert {line: done.stderr for line, done in told.items() if done.returncode} == {}


def test_the_page_shows_what_the_check_tells(followed):
    check = next(done.stdout for line, done in followed[2].items() if " check " in line)
    shown, = blocks("text")
    assert shown in check
    assert "1 no_redshift" in check
    assert "worth knowing" not in check  # the definition leaves nothing to say


def test_the_survey_is_found_where_it_looked(followed):
    found = next(done.stdout for line, done in followed[2].items() if " search " in line)
    assert "deep_field" in found.partition("more may be meant")[0]


def test_the_redshifts_are_those_of_the_paper(followed):
    """By hand: z = cz / 299792.458; qualities as the table of the paper says."""
    files = [path for path in (followed[0] / "store").rglob("measurements.parquet")
             if "quality" in pq.read_schema(path).names]
    rows = pq.read_table(files[0]).to_pandas().set_index("native_id")
    expected = {"1": (0.5, 4, "unknown"), "2": (0.1, 3, "unknown"), "3": (0.2, 1, "unknown"),
                "4": (-30 / 299792.458, 4, "star"), "6": (0.3, 0, "unknown")}
    assert {name: (pytest.approx(row.z), row.quality, row.object_class)
            for name, row in rows.iterrows()} == expected


def test_the_python_of_the_page_runs(followed, monkeypatch):
    monkeypatch.chdir(followed[0])
    names: dict[str, object] = {}
    code, = blocks("python")
    exec(compile(code, "add_a_survey.md", "exec"), names)
    assert len(names["redshifts"]) == 5
    assert "&#39;D&#39;" in names["page"]._repr_html_()


def test_the_sources_of_the_page_are_checked(followed):
    told = next(done.stdout for line, done in followed[2].items() if "--sources" in line)
    assert "J/A+A/700/A1/table2" in told
    assert "by hand" in told
