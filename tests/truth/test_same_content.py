"""Equal requests, equal content: whatever the order of rows, partitions and workers."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.policy import ClusterPolicy, PartitionPolicy
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import open_store


@pytest.mark.parametrize(("rows_per_partition", "workers"), [(10_000_000, 2), (60, 1)])
def test_partitions_and_workers_change_no_content(
    run, mock_run, mock_recipe, tmp_path, rows_per_partition, workers
) -> None:
    other = mock_recipe.model_copy(update={
        "partition": PartitionPolicy(rows_per_partition=rows_per_partition),
        "cluster": ClusterPolicy(workers=workers),
    })
    done = run(other, open_store(tmp_path))
    folder = done.store.directory(done.manifests["partition"].ref)
    files = list(folder.glob("galaxies_hats/galaxies/dataset/**/*.parquet"))
    assert len(files) >= 16 if rows_per_partition == 60 else len(files) < 16
    assert done.contents == mock_run.contents


def test_shuffled_input_rows_change_no_content(run, mock_run, mock_sky, tmp_path) -> None:
    root = tmp_path / "shuffled"
    shutil.copytree(mock_sky.root, root)
    rng = np.random.default_rng(3)
    for file in (root / "surveys").iterdir():
        if file.suffix == ".fits":
            table = Table.read(file)
            table[rng.permutation(len(table))].write(file, overwrite=True)
        elif file.suffix == ".csv":
            header, *lines = file.read_text().splitlines()
            rng.shuffle(lines)
            file.write_text("\n".join([header, *lines]) + "\n")
        else:
            table = pq.read_table(file)
            pq.write_table(table.take(pa.array(rng.permutation(len(table)))), file)
    done = run(load_recipe(root / "recipe.yaml"), open_store(tmp_path / "store"))
    assert done.contents == mock_run.contents


def test_a_second_run_makes_nothing(run, mock_run, mock_recipe) -> None:
    again = run(mock_recipe, mock_run.store)
    made = {label: manifest.created for label, manifest in mock_run.manifests.items()}
    assert {label: manifest.created for label, manifest in again.manifests.items()} == made


def test_a_changed_split_makes_split_export_and_report_alone(run, mock_run, mock_recipe) -> None:
    other = mock_recipe.model_copy(update={"split": mock_recipe.split.model_copy(
        update={"fractions": {"train": 0.5, "test": 0.5}})})
    again = run(other, mock_run.store)
    changed = {label for label, manifest in again.manifests.items()
               if manifest.address != mock_run.manifests[label].address}
    assert changed == {"split", "export", "report"}


def test_a_compilation_serves_as_input_and_changes_nothing(run, mock_run, mock_recipe) -> None:
    """From a compilation alone, and from it and the very files it was made of."""
    address = mock_run.manifests["combine"].address
    redshifts = mock_recipe.redshifts
    for surveys in ((), redshifts.surveys):
        source = redshifts.model_copy(update={"compilation": address, "surveys": surveys})
        done = run(mock_recipe.model_copy(update={"redshifts": source}), mock_run.store)
        galaxies = [each.table("combine", "galaxies") for each in (done, mock_run)]
        assert galaxies[0].equals(galaxies[1])


def test_a_table_of_the_user_joins_a_compilation(run, mock_run, mock_recipe, tmp_path) -> None:
    galaxies = mock_run.table("combine", "galaxies").to_pandas()
    mine = pd.DataFrame({
        "name": ["a", "b"], "RA": [galaxies.ra[0], 211.0], "DEC": [galaxies.dec[0], 5.0],
        "Z": [0.5, 0.6], "Q": [4, 3],
    })
    mine.to_csv(tmp_path / "mine.csv", index=False)
    table = {"name": "mine", "file": str(tmp_path / "mine.csv"),
             "columns": {"id": "name", "ra": "RA", "dec": "DEC", "z": "Z", "quality": "Q"}}
    source = {"compilation": mock_run.manifests["combine"].address, "tables": [table]}
    recipe = type(mock_recipe).model_validate(
        {**mock_recipe.model_dump(by_alias=True), "redshifts": source})
    done = run(recipe, mock_run.store)
    after = done.table("combine", "galaxies").to_pandas()
    assert len(after) == len(galaxies) + 1  # one joins a known galaxy, one is new
    assert set(galaxies.galaxy_id) < set(after.galaxy_id)  # and moves no id
    measured = done.table("combine", "measurements").to_pandas()
    joined = measured[measured.survey == "mine"].set_index("native_id").galaxy_id
    assert joined["a"] == galaxies.galaxy_id[0]


def test_sentinels_of_a_table_that_says_nothing_of_them_are_not_believed(run, tmp_path) -> None:
    mine = pd.DataFrame({"RA": [1.0, 1.0, 2.0, 3.0], "DEC": [0.0] * 4, "Z": [0.5, 0.5, -99, -1],
                         "E": [-99, 1e-4, 1e-4, 1e-4]})
    mine.to_csv(tmp_path / "mine.csv", index=False)
    recipe = Recipe.model_validate({
        "schema": 1, "name": "mine", "output": {"directory": str(tmp_path / "out")},
        "redshifts": {"tables": [{
            "name": "mine", "file": str(tmp_path / "mine.csv"),
            "columns": {"ra": "RA", "dec": "DEC", "z": "Z", "z_err": "E"}}]},
    })
    done = run(recipe, open_store(tmp_path / "store"))
    assert done.manifests["standardize mine"].rows.dropped == {"redshift_out_of_range": 2}
    assert done.table("combine", "galaxies")["z_err"].to_pylist() == [1e-4]


def test_a_file_that_changes_under_the_run_is_refused(run, mock_recipe, mock_sky, tmp_path) -> None:
    from flows.pins import pin
    from tasks.retrieve import retrieve

    store = open_store(tmp_path)
    source = pin(mock_recipe, store).sources[0]
    stale = source.native.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(TsmError, match=r"file\.changed"):
        retrieve.run(store, file=stale, survey=source.survey)


def test_hdf5_alone_is_hdf5_alone(run, mock_run, mock_recipe) -> None:
    output = mock_recipe.output.model_copy(update={"formats": ("hdf5",)})
    done = run(mock_recipe.model_copy(update={"output": output}), mock_run.store)
    files = {file.path for file in done.manifests["export"].files}
    assert files == {f"training_set_{part}.hdf5" for part in ("train", "validation", "test")}
    assert done.contents == mock_run.contents  # equal rows, whatever the files
