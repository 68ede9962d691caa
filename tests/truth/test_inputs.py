"""Redshifts come in files, HATS folders and products; what they hold decides, not how they came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from flows.pins import pin
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.products import put
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import open_store

COLUMNS = {"id": "name", "ra": "RA", "dec": "DEC", "z": "Z", "quality": "Q"}
MINE = {"name": "mine", "columns": COLUMNS}

DEFINITION = """\
schema: 1
key: graded
ordinal: 1000000
name: A survey of our own
facility: a telescope
release: first
year: 2026
columns:
  id: {from: name}
  ra: {from: RA, unit: deg}
  dec: {from: DEC, unit: deg}
  z: {from: Z, valid: [-0.01, 7]}
  native_flag: {from: grade}
quality:
  rules:
    - {when: grade == 'A', then: 4, source: our log}
    - {when: grade == 'B', then: 3, source: our log}
  otherwise: 0
  source: our log
object_class: {otherwise: galaxy, source: our log}
instrument_type: {otherwise: s, source: our log}
"""


@pytest.fixture
def table() -> pa.Table:
    """Rows all over the sky, so that a HATS folder of them has several partitions."""
    n = 60
    return pa.table({
        "name": [f"g{number}" for number in range(n)],
        "RA": [(number * 37.3) % 360 for number in range(n)],
        "DEC": [-80 + number * 2.7 for number in range(n)],
        "Z": [0.1 + number / 100 for number in range(n)],
        "Q": pa.array([3 + number % 2 for number in range(n)], pa.int64()),
        "grade": ["AB"[number % 2] for number in range(n)],
    })


def recipe(folder: Path, redshifts: dict[str, Any], name: str = "inputs") -> Recipe:
    return Recipe.model_validate({"schema": 1, "name": name, "redshifts": redshifts,
                                  "output": {"directory": str(folder / "out")}})


def test_a_hats_folder_and_a_product_give_what_the_file_gives(run, table, tmp_path) -> None:
    pq.write_table(table, tmp_path / "mine.parquet")
    write_table_as_collection(table, tmp_path / "hats", "mine", ra_column="RA", dec_column="DEC",
                              rows_per_partition=10)
    store = open_store(tmp_path / "store")
    product = put(tmp_path / "mine.parquet", "my-table", store=store)
    origins = [{"file": str(tmp_path / "mine.parquet")}, {"file": str(tmp_path / "hats")},
               {"product": "my-table"}, {"product": str(product)}]
    results = [run(recipe(tmp_path, {"tables": [{**MINE, **origin}]}), store).contents
               for origin in origins]
    for result in results:
        assert result["standardize mine"] == results[0]["standardize mine"]
        assert result["combine"] == results[0]["combine"]
    assert "retrieve mine" not in results[2]  # the store has it already


def test_a_changed_partition_of_a_hats_folder_is_another_input(run, table, tmp_path) -> None:
    for folder, rows in (("one", table), ("two", table.set_column(
            3, "Z", pc.add(table["Z"], 0.001)))):
        write_table_as_collection(rows, tmp_path / folder, "mine", ra_column="RA",
                                  dec_column="DEC", rows_per_partition=10)
    store = open_store(tmp_path / "store")
    one, two = (pin(recipe(tmp_path, {"tables": [{**MINE, "file": str(tmp_path / name)}]}), store)
                for name in ("one", "two"))
    assert one.sources[0].native.sha256 != two.sources[0].native.sha256


def test_a_recipe_brings_a_definition_of_its_own(run, table, tmp_path) -> None:
    pq.write_table(table, tmp_path / "mine.parquet")
    (tmp_path / "graded.yaml").write_text(DEFINITION)
    (tmp_path / "recipe.yaml").write_text(
        "schema: 1\nname: own\nredshifts:\n  surveys:\n"
        "    - {definition: graded.yaml, file: mine.parquet}\noutput: {directory: out}\n")
    done = run(load_recipe(tmp_path / "recipe.yaml"), open_store(tmp_path / "store"))
    measured = done.table("standardize graded", "measurements")
    expected = dict(zip(table["name"].to_pylist(), table["grade"].to_pylist(), strict=True))
    found = dict(zip(measured["native_id"].to_pylist(), measured["quality"].to_pylist(),
                     strict=True))
    assert found == {name: {"A": 4, "B": 3}[grade] for name, grade in expected.items()}


@pytest.mark.parametrize(("old", "new", "told"), [
    ("key: graded", "key: desi_dr1", "a key that no survey of the registry has"),
    ("ordinal: 1000000", "ordinal: 3", "write `ordinal: 1000000`"),
])
def test_a_definition_never_takes_a_place_of_the_registry(tmp_path, old, new, told) -> None:
    (tmp_path / "graded.yaml").write_text(DEFINITION.replace(old, new))
    (tmp_path / "mine.csv").write_text("name\n1\n")
    (tmp_path / "recipe.yaml").write_text(
        "schema: 1\nname: own\nredshifts:\n  surveys:\n"
        "    - {definition: graded.yaml, file: mine.csv}\noutput: {directory: out}\n")
    with pytest.raises(TsmError, match=told) as refused:
        load_recipe(tmp_path / "recipe.yaml")
    assert refused.value.codes == (Code.SURVEY_INVALID,)


def test_every_product_that_is_not_there_is_told_at_once(tmp_path) -> None:
    wanted = recipe(tmp_path, {
        "surveys": [{"survey": "2dfgrs", "product": "two-df@3"}],
        "tables": [{**MINE, "product": "my-table"}], "compilation": "specz",
    })
    with pytest.raises(TsmError) as refused:
        pin(wanted, open_store(tmp_path / "store"))
    assert refused.value.codes == (Code.PRODUCT_UNKNOWN,) * 3
    assert {problem.where for problem in refused.value.problems} == {"two-df", "my-table", "specz"}


def test_a_compilation_is_taken_up_again_by_its_name(run, table, tmp_path) -> None:
    pq.write_table(table, tmp_path / "mine.parquet")
    store = open_store(tmp_path / "store")
    first = run(recipe(tmp_path, {"tables": [{**MINE, "file": str(tmp_path / "mine.parquet")}]}),
                store)
    made = {label: manifest.ref for label, manifest in first.manifests.items()}
    store.products.add("specz", "compilation", made, "combine")
    again = run(recipe(tmp_path, {"compilation": "specz@latest"}), store)
    assert again.table("combine", "galaxies").equals(first.table("combine", "galaxies"))


def test_a_product_of_another_kind_is_refused_with_what_to_do(run, table, tmp_path) -> None:
    pq.write_table(table, tmp_path / "mine.parquet")
    store = open_store(tmp_path / "store")
    put(tmp_path / "mine.parquet", "my-table", store=store)
    with pytest.raises(TsmError, match=r"a product of kind table[\s\S]*redshifts\.tables"):
        pin(recipe(tmp_path, {"compilation": "my-table"}), store)


def test_a_name_that_stands_for_another_kind_is_refused_before_anything_runs(
    table, tmp_path
) -> None:
    pq.write_table(table, tmp_path / "mine.parquet")
    store = open_store(tmp_path / "store")
    put(tmp_path / "mine.parquet", "taken", store=store)
    wanted = recipe(tmp_path, {"tables": [{**MINE, "product": "taken"}]}, name="taken")
    with pytest.raises(TsmError, match=r"product\.name"):
        pin(wanted, store)


def test_the_home_of_nobody_is_a_file_that_is_not_there(tmp_path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "schema: 1\nname: own\nredshifts:\n  surveys:\n"
        "    - {survey: 2dfgrs, file: ~nobody-of-this-name/x.csv}\noutput: {directory: out}\n")
    with pytest.raises(TsmError) as refused:
        load_recipe(tmp_path / "recipe.yaml")
    assert refused.value.codes == (Code.FILE_MISSING,)
