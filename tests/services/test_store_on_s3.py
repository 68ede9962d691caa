"""The pipeline with its store on a local S3 server: the same results as on disk."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.entry import COMMANDS, told_plainly
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.store import open_store
from tasks.deliver import deliver

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tsm(capsys):
    """Call a command; gives what it says."""
    assert COMMANDS  # they are registered

    def call(*words):
        with pytest.raises(SystemExit) as left:
            told_plainly(lambda: app([str(word) for word in words]))
        out, err = capsys.readouterr()
        assert (left.value.code or 0, err) == (0, "")
        return out

    return call


def files_of(folder):
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in Path(folder).rglob("*") if file.is_file() and file.name != "manifest.json"}


def test_a_run_on_s3_leaves_what_a_run_on_disk_leaves(
    run, mock_run, mock_recipe, s3, tmp_path, monkeypatch, tsm
):
    """HATS is matched from S3 by Dask workers in processes of their own."""
    output = mock_recipe.output.model_copy(update={"directory": str(tmp_path / "out")})
    recipe = mock_recipe.model_copy(update={
        "output": output, "cluster": ClusterPolicy(kind="local", workers=2)})
    done = run(recipe, open_store(s3))
    assert done.contents == mock_run.contents

    made = {label: manifest.ref for label, manifest in done.manifests.items()}
    deliver(recipe, made, done.store)
    delivered = files_of(tmp_path / "out")
    published = {file.path: file.sha256 for label in ("export", "report")
                 for file in done.manifests[label].files if file.path in delivered}
    assert delivered == published
    assert {"training_set.parquet", "report.html", "CITATIONS.bib"} <= set(delivered)

    version = done.store.products.add("mock_training_set", "training_set", made, "export")
    del done
    monkeypatch.setenv("PZ_TSM_STORE", str(s3))
    assert "mock_training_set@1" in tsm("products", "list")
    assert f"open_product('{version}')" in tsm("products", "show", version)
    assert "all as published" in tsm("products", "verify", version)
    assert "for products" in tsm("gc")
    assert version.ref.address in tsm("inspect", "mock_training_set")
    table = tmp_path / "mine.csv"
    table.write_text("ra,dec,z\n1.5,2.5,0.5\n")
    assert "mine@1: 1 rows" in tsm("put", table, "--store", s3)


@pytest.mark.prove
def test_tsm_run_with_a_store_on_s3_finds_all_cached_the_second_time(mock_sky, mock_run, s3):
    """With Prefect and its private server, whose records lie in the user's cache."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": environment["XDG_CACHE_HOME"]}
    code = "import sys; from pz_tsm_core.cli import main; sys.exit(main())"
    recipe = mock_sky.root / "recipe.yaml"
    for command, state in (("run", "done"), ("plan", "cached"), ("run", "cached")):
        done = subprocess.run([sys.executable, "-c", code, command, recipe, "--store", str(s3)],
                              env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(re.findall(rf"^{state} ", done.stdout, re.MULTILINE)) == len(mock_run.contents)
    version = open_store(s3).products.get("mock_training_set")
    assert {label: ref.content for label, ref in version.artifacts.items()} == mock_run.contents
    assert {path.name for path in s3.glob("*")} <= {
        "objects", "products", ".holds", ".alone", ".servers"}
