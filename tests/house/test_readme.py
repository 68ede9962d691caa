"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from pz_tsm_core.model.document import build, parse_document
from pz_tsm_core.model.recipe import Recipe

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def _block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert match
    return match.group(1)


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
