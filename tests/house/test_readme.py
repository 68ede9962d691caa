"""What the README and the tutorial show is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pz_tsm_core.cli.help import FIRST_STEPS
from pz_tsm_core.model.document import build, parse_document
from pz_tsm_core.model.recipe import Recipe

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial" / "own_table.md").read_text("utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block, in their order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _block(language: str) -> str:
    return next(content for found, content in blocks(README) if found == language)


def test_the_python_of_the_readme_makes_a_training_set(
    mock_sky, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").symlink_to(mock_sky.root)
    monkeypatch.chdir(tmp_path)
    exec(compile(_block("python"), "README.md", "exec"), {})
    made = pd.read_parquet("training_set.parquet")
    assert set(made["split"]) == {"train", "test"}
    assert made["mag_i"].notna().mean() > 0.9


def test_the_recipe_of_the_readme_is_a_recipe() -> None:
    recipe = build(Recipe, parse_document(_block("yaml"), "README.md"))
    assert recipe.catalog is not None
    assert recipe.redshifts.tables[0].name == "my_redshifts"


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Types a script in one folder with one store, as somebody at a terminal does."""
    folder = tmp_path_factory.mktemp("typed")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                   "PZ_TSM_STORE": str(folder / ".store"), "COLUMNS": "120"}

    def type_(script: str) -> str:
        done = subprocess.run(["bash", "-euc", script], cwd=folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    type_.folder, type_.environment = folder, environment
    return type_


@pytest.fixture(scope="module")
def fifteen_minutes(typed) -> Path:
    """What the README's section on one's own table makes."""
    typed(_block("sh"))
    return typed.folder


def test_the_readmes_path_leads_from_an_own_table_to_a_training_set(fifteen_minutes) -> None:
    made = fifteen_minutes / "my_redshifts_training_set"
    table = pd.read_parquet(made / "training_set.parquet")
    own = pd.read_csv(fifteen_minutes / "sky" / "my_redshifts.csv")
    assert set(table["native_id"]) < set(own["Object"])
    assert (table["quality"] >= 3).all()
    assert set(table["split"]) == {"train", "validation", "test"}
    assert (made / "report.html").is_file()


def test_the_help_begins_as_the_readme_does() -> None:
    assert re.findall(r"\$ (tsm .*)", FIRST_STEPS) == _block("sh").splitlines()


def test_the_tutorial_is_what_happens(typed, fifteen_minutes, monkeypatch) -> None:
    """Commands and Python run as printed; what is shown of files and answers stands there."""
    monkeypatch.chdir(typed.folder)
    monkeypatch.setenv("PZ_TSM_STORE", typed.environment["PZ_TSM_STORE"])
    answer, names = "", {}
    for language, content in blocks(TUTORIAL):
        if language == "sh":
            answer = typed(content)
        elif language == "python":
            exec(compile(content, "own_table.md", "exec"), names)
        elif language == "text":
            missing = [line for line in content.splitlines() if line not in answer]
            assert missing == [], answer
        else:
            files = [path.read_text("utf-8") for path in typed.folder.glob("*.yaml")]
            assert any(content in text for text in files), content
