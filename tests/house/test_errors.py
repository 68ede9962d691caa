"""The catalogue of errors is whole: documented, used, and crossing process borders."""

from __future__ import annotations

import re
from pathlib import Path

from pz_tsm_core.errors import Code, Problem, TransientError, TsmError

ROOT = Path(__file__).parents[2]


def test_every_code_stands_in_the_reference_with_its_meaning() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    documented = re.findall(r"^\| `(.+?)` \| (.+) \|$", page, re.MULTILINE)
    assert documented == [(code.value, code.meaning) for code in Code]


def test_every_code_is_used() -> None:
    sources = "\n".join(file.read_text("utf-8") for room in ("pz_tsm_core", "tasks", "flows")
                        for file in (ROOT / room).rglob("*.py"))
    # The families of recipe and survey are built from one another.
    assert [code.name for code in Code if f"Code.{code.name}" not in sources] == []


def test_an_error_tells_all_that_helps() -> None:
    problem = Problem(Code.FILE_LIMIT, "x.csv", "5 GB", "at most 4 GB", "cut it")
    for line in ("[file.limit] x.csv", "found:    5 GB", "expected: at most 4 GB",
                 "to do:    cut it"):
        assert line in str(TsmError(problem, problem))


def test_errors_survive_the_way_between_processes() -> None:
    problem = Problem(Code.STORE_IO, "a", "b", "c", "d")
    for kind in (TsmError, TransientError):
        rebuild, arguments = kind(problem).__reduce__()
        again = rebuild(*arguments)
        assert type(again) is kind
        assert again.problems == (problem,)
