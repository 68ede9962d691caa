"""Rules of the house that no linter knows: what must never stand in the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("pz_tsm_core", "tasks", "flows")
SOURCES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))

#: Calls that run what they read, and who reads HDF5 by unpickling.
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "read_hdf", "read_pickle", "to_pickle",
    "full_load", "unsafe_load",
}
FORBIDDEN_IMPORTS = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}

def _calls(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            # `re.compile` compiles a pattern; the built-in of that name compiles code.
            if isinstance(function, ast.Attribute) and function.attr != "compile":
                names.add(function.attr)
            elif isinstance(function, ast.Name):
                names.add(function.id)
    return names


def _imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_that_is_read_can_run(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    assert not _calls(tree) & FORBIDDEN_CALLS
    assert not _imports(tree) & FORBIDDEN_IMPORTS


def test_the_wheel_ships_the_library_alone() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    assert 'packages = ["pz_tsm_core"]' in pyproject


def test_lock_files_hold_hashes_and_no_address() -> None:
    for name in ("requirements.lock", "infra/bootstrap.lock", "infra/rail.lock"):
        text = (ROOT / name).read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        requirements = text.replace("\\\n", " ").strip().splitlines()
        assert requirements
        assert all("==" in line and "--hash=sha256:" in line for line in requirements)


def test_no_module_is_called_utils_or_helpers() -> None:
    names = {file.stem for file in SOURCES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "manager", "sparse"}
