"""The help teaches: every command has examples, and every example runs as it is printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from pz_tsm_core.cli import help as teaching

TSM = Path(sys.executable).with_name("tsm")
ROOT = Path(__file__).parents[3]
RULE_FILE = """\
translation_rules:
  MINE:
    z_flag_translation: {default: 0, conditions: [{expr: "z_flag >= 3", value: 4}]}
    instrument_type_translation: {default: s}
tiebreaking_priority: [z_flag_homogenized]
"""
CONFIG = """\
inputs:
  specz:
    - path: mine.csv
      internal_name: 001_mine
      columns: {ra: ra, dec: dec, z: z, z_flag: flag, survey: survey}
param: {flags_translation_file: flags_translation.yaml}
"""
MATCH = """\
inputs:
  dataset: {path: sky/object_collection, columns: {id: objectId}}
  specz:
    - path: sky/my_redshifts.csv
      format: csv
      columns: {id: Object, ra: RAJ2000, dec: DEJ2000, z: zbest}
"""
CATALOGUE = "ra,dec,z,flag,survey\n1,1,0.5,4,mine\n1,1,0.5,3,mine\n"


def call(*arguments, folder=ROOT, **environment):
    """What the command prints, at the width of a large terminal."""
    done = subprocess.run(
        [TSM, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "COLUMNS": "200", **environment})
    return done.returncode, done.stdout, done.stderr


@cache
def page(*command):
    """The help of a command, as it is printed."""
    return call(*command, "--help")[1]


def commands(*group):
    """Every command below a group, as its own help lists them."""
    told = page(*group)
    if "COMMAND [ARGS]" not in told:
        yield group
        return
    panels = re.findall(r"╭─ (.*?) ─+╮\n(.*?)╰", told, re.DOTALL)
    for name in (name for title, body in panels if title not in ("Options", "Arguments")
                 for name in re.findall(r"^│ (\S+)", body, re.MULTILINE)):
        yield from commands(*group, name)


def examples(*command):
    """The examples that a command's help prints."""
    return re.findall(r"^ *\$ (tsm .*?) *$", page(*command), re.MULTILINE)


def test_every_command_promises_in_one_line_and_shows_an_example():
    all_ = {" ".join(command) for command in commands()}
    assert all_ >= {"mock", "new recipe", "run", "plan", "inspect", "surveys list",
                    "surveys show", "surveys explain", "products list"}
    without = {command for command in all_ if not examples(*command.split())}
    assert without == set()
    for command in all_:
        usage, promise, *_ = (line.strip() for line in page(*command.split()).splitlines()
                              if line.strip())
        assert usage.startswith(f"Usage: tsm {command}")
        assert promise.endswith(".")
        assert len(promise) <= 66  # one line on a terminal of 80
        assert examples(*command.split())[0].startswith(f"tsm {command}")


def test_the_first_page_has_headings_in_the_order_in_which_one_starts():
    told = page()
    places = [told.index(panel.value) for panel in teaching.Panel]
    assert places == sorted(places)


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Everything that the help of commands shows, typed in their order, and how it ended.

    What the first page shows stands in the README, too, and is typed in that one's test.
    """
    folder = tmp_path_factory.mktemp("typed")
    for name, text in (("flags_translation.yaml", RULE_FILE), ("config.yaml", CONFIG),
                       ("match.yaml", MATCH), ("mine.csv", CATALOGUE)):
        (folder / name).write_text(text)
    store = str(folder / "usual store")
    order = list(teaching.COMMANDS)
    known = sorted((" ".join(command) for command in commands()),
                   key=lambda name: order.index(name) if name in order else len(order))
    return {line: call(*shlex.split(line)[1:], folder=folder, PZ_TSM_STORE=store)
            for name in known for line in examples(*name.split())
            if line not in online(name)}


def online(name):
    """Examples that ask services which others run."""
    return teaching.COMMANDS[name].online if name in teaching.COMMANDS else ()


def test_every_example_of_every_help_runs(typed):
    failed = {line: (code, err) for line, (code, _, err) in typed.items() if code}
    assert failed == {}
    assert len(typed) > 15


def test_help_and_completion_load_nothing_heavy():
    """What takes half a second to import would be paid at every press of a key."""
    code = ("import sys, runpy; sys.argv = ['tsm', '--help']\n"
            "try: from pz_tsm_core.cli import main; main()\n"
            "except SystemExit: pass\n"
            "heavy = {'pandas', 'pyarrow', 'numpy', 'lsdb', 'hats', 'dask', 'astropy', 'prefect',"
            " 'pydantic', 'matplotlib'} & set(sys.modules)\n"
            "sys.exit(f'{heavy}' if heavy else 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def completed(*words, folder, **environment):
    """What the shell is offered for the last of some words."""
    return call(folder=folder, _TSM_COMPLETE="complete_bash", COMP_WORDS=" ".join(("tsm", *words)),
                COMP_CWORD=str(len(words)), **environment)[1].split()


def test_the_shell_completes_recipes_tables_and_products(typed, tmp_path):
    (tmp_path / "one.yaml").touch()
    (tmp_path / "other.csv").touch()
    (tmp_path / "other_folder").mkdir()
    assert completed("run", "o", folder=tmp_path) == ["one.yaml", "other_folder/"]
    assert "other.csv" in completed("new", "recipe", "o", folder=tmp_path)
    store = {"PZ_TSM_STORE": str(tmp_path / "none")}
    assert completed("inspect", "one", folder=tmp_path, **store) == ["one.yaml"]
    assert completed("r", folder=tmp_path) == ["run", "releases"]


def test_completion_offers_the_products_that_the_principal_sees(typed, tmp_path):
    from pz_tsm_core.model.artifact import Access, Principal
    from pz_tsm_core.products import put
    from pz_tsm_core.store import open_store

    table = tmp_path / "table.csv"
    table.write_text("ra,dec,z\n1,2,0.5\n")
    alice = open_store(tmp_path / "store", Principal(name="alice"))
    put(table, "alices", access=Access(kind="private", name="alice"), store=alice)
    put(table, "all", store=alice)
    store = {"PZ_TSM_STORE": str(tmp_path / "store")}
    assert completed("inspect", "al", folder=tmp_path, **store) == ["all"]
    assert set(completed("inspect", "al", folder=tmp_path, PZ_TSM_PRINCIPAL="alice",
                         **store)) == {"alices", "all"}
