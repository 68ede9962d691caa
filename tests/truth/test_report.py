"""The report of a run over the mock sky, against pandas over the delivered files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pybtex.database import parse_string

from flows.order import order_for
from flows.pins import pin
from flows.planning import Planner
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.quality import Quality
from pz_tsm_core.model.run import RunRecord
from pz_tsm_core.model.stages import REPORT
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import open_store
from tasks.deliver import deliver
from tasks.report import report, shown


@pytest.fixture(scope="module")
def metrics(mock_run) -> dict[tuple[str, str], float]:
    table = mock_run.table("report", "metrics").to_pylist()
    return {(row["name"], row["of"]): row["value"] for row in table}


@pytest.fixture(scope="module")
def training_set(mock_run) -> pd.DataFrame:
    """The file that a user gets, by pandas."""
    folder = mock_run.store.directory(mock_run.manifests["export"].ref)
    return pd.read_parquet(folder / "training_set.parquet")


@pytest.fixture(scope="module")
def measured(mock_run) -> pd.DataFrame:
    return mock_run.table("combine", "measurements").to_pandas()


@pytest.fixture(scope="module")
def page(mock_run) -> str:
    folder = mock_run.store.directory(mock_run.manifests["report"].ref)
    return (folder / "report.html").read_text("utf-8")


def refs(done) -> dict:
    return {label: manifest.ref for label, manifest in done.manifests.items()
            if label != "report"}


def cited(done) -> dict[str, Cited]:
    return {each["key"]: Cited.model_validate(each)
            for each in done.manifests["report"].notes["citations"]}


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_rows_parts_and_bands_are_those_of_the_file(metrics, training_set) -> None:
    assert metrics["rows.result", ""] == len(training_set)
    for part, rows in training_set.split.value_counts().items():
        assert metrics["split.fraction", part] == pytest.approx(rows / len(training_set))
    for band in "ugrizy":
        missing = training_set[f"mag_{band}"].isna().mean()
        assert metrics["magnitude.missing", band] == pytest.approx(missing)
    assert metrics["match.ambiguous", ""] == (training_set.n_candidates > 1).mean() > 0


def test_redshifts_are_those_of_the_file(metrics, training_set) -> None:
    z = training_set.z
    assert metrics["redshift.lowest", ""] == z.min()
    assert metrics["redshift.highest", ""] == z.max()
    assert metrics["redshift.median", ""] == pytest.approx(z.median(), abs=0.005)


def test_offsets_are_those_of_the_file(metrics, training_set) -> None:
    rows = training_set
    east = (rows.coord_ra - rows.ra + 180) % 360 - 180
    offsets = pd.DataFrame({
        "survey": rows.survey, "match.separation": rows.separation,
        "match.east": east * np.cos(np.radians(rows.dec)) * 3.6e6,
        "match.north": (rows.coord_dec - rows.dec) * 3.6e6,
    })
    # Medians from bins of 1 mas: between the two middle values, and a bin to each side.
    for name, tolerance in (("match.separation", 0.001), ("match.east", 1), ("match.north", 1)):
        for survey, mine in [("", offsets), *offsets.groupby("survey")]:
            if len(mine) < 20:
                assert (name, survey) not in metrics
                continue
            low, high = (mine[name].quantile(0.5, method) for method in ("lower", "higher"))
            assert low - tolerance <= metrics[name, survey] <= high + tolerance


def test_the_match_is_told_as_it_went(mock_run, metrics, training_set) -> None:
    galaxies = mock_run.table("combine", "galaxies").to_pandas()
    assert metrics["match.fraction", ""] == len(training_set) / len(galaxies)
    several = galaxies[galaxies.n_eligible > 1]
    assert metrics["redshift.discordant", ""] == (several.z_spread > 0.03).mean()
    for survey in training_set.survey.unique():
        rows = mock_run.manifests[f"standardize {survey}"].rows
        assert metrics["rows.kept", survey] == rows.given / rows.taken


def test_no_row_is_lost_and_no_galaxy_is_on_two_sides(metrics) -> None:
    assert metrics["rows.unaccounted", ""] == 0
    assert metrics["split.shared_galaxies", ""] == metrics["split.shared_objects", ""] == 0


def test_one_object_for_two_galaxies_is_seen_where_it_is_allowed(
    run, mock_run, mock_recipe
) -> None:
    """Too small a radius makes several galaxies of one, and without `unique` all are matched."""
    recipe = mock_recipe.model_copy(update={
        "combine": mock_recipe.combine.model_copy(update={"radius_arcsec": 0.01}),
        "match": mock_recipe.match.model_copy(update={"unique": False}),
        "split": mock_recipe.split.model_copy(update={"fractions": {"a": 0.5, "b": 0.5}}),
    })
    done = run(recipe, mock_run.store)
    rows = done.table("split", "training_set").to_pandas()
    expected = (rows.groupby("objectId").split.nunique() > 1).sum()
    told = {row["name"]: row for row in done.table("report", "metrics").to_pylist()}
    assert told["split.shared_objects"]["value"] == expected > 0
    assert told["split.shared_objects"]["status"] == "look"


#: Reasons as the page has them: who speaks, who lost and for what, who may not speak.
ORDER = (0, 1, 13, 2, 3, 8, 4, 9, 10, 11, 5, 12, 14, 6, 7)


def test_the_page_tells_the_numbers_of_pandas(page, training_set, measured, mock_run) -> None:
    text = text_of(page)
    assert f"{len(training_set):,}" in text
    names = {survey["key"]: survey["name"]
             for survey in mock_run.manifests["combine"].notes["surveys"]}
    reasons = measured.groupby(["survey", "reason"]).size()
    shown = [reason for reason in ORDER if (measured.reason == reason).any()]
    for survey, rows in measured.survey.value_counts().items():
        line = [rows, *(reasons.get((survey, reason), 0) for reason in shown),
                (training_set.survey == survey).sum()]
        assert " ".join([names[survey], *(f"{number:,}" for number in line)]) in text
    for rule, rows in mock_run.manifests["standardize primus"].counts["rules"].items():
        quantity, _, condition = rule.partition(": ")
        html = condition.replace("'", "&#39;").replace("<", "&lt;").replace(">", "&gt;")
        assert re.search(rf"{quantity.replace('_', ' ')} {re.escape(html)} {rows:,} ", text), rule


def test_flags_and_classes_are_those_of_pandas(page, measured) -> None:
    section = page[page.index('<section id="flags">'):page.index('<section id="rules">')]
    counts = [int(number.replace(",", "")) for number in
              re.findall(r'<td class="n shade[^>]*>([\d,]+)</td>', section)]
    assert sum(counts) == len(measured)
    combinations = measured.groupby(["survey", "instrument_type", "object_class"]).ngroups
    assert len(counts) == 5 * combinations
    assert [sum(counts[quality::5]) for quality in range(5)] == [
        (measured.quality == quality).sum() for quality in range(5)]


def test_exactly_the_surveys_with_rows_are_cited_and_with_their_counts(
    mock_run, training_set
) -> None:
    found = cited(mock_run)
    surveys = {key: each.rows for key, each in found.items() if each.kind == "survey"}
    assert surveys == training_set.survey.value_counts().to_dict()
    others = {key: each.rows for key, each in found.items() if each.kind != "survey"}
    assert others == dict.fromkeys(("dp1", "sfd", "desc_dc2"), len(training_set))


def test_the_files_of_citations_hold_every_work_and_no_other(mock_run) -> None:
    folder = mock_run.store.directory(mock_run.manifests["report"].ref)
    works = parse_string((folder / "CITATIONS.bib").read_text("utf-8"), "bibtex").entries
    wanted = {code for each in cited(mock_run).values() for code in each.bibcodes}
    assert {key.lower() for key in works} == {code.lower() for code in wanted}
    credit = (folder / "ACKNOWLEDGEMENTS.md").read_text("utf-8")
    for each in cited(mock_run).values():
        assert f"{each.name} (`{each.key}`)" in credit
        assert f"{each.rows:,}" in credit


def test_a_survey_of_which_nothing_survives_is_not_cited(run, mock_run, mock_recipe) -> None:
    """Quality 4 alone: PRIMUS, at most 3, has measurements and no galaxy."""
    recipe = mock_recipe.model_copy(update={
        "combine": mock_recipe.combine.model_copy(update={"min_quality": Quality.CERTAIN})})
    done = run(recipe, mock_run.store)
    survivors = set(done.table("split", "training_set")["survey"].to_pylist())
    assert "primus" not in survivors
    assert "primus" in done.table("combine", "measurements")["survey"].to_pylist()
    assert {key for key, each in cited(done).items() if each.kind == "survey"} == survivors


def test_without_dereddening_neither_map_nor_coefficients_are_cited(
    run, mock_run, mock_recipe
) -> None:
    dust = mock_recipe.photometry.dereddening.model_copy(update={"map": "none"})
    photometry = mock_recipe.photometry.model_copy(update={"dereddening": dust})
    done = run(mock_recipe.model_copy(update={"photometry": photometry}), mock_run.store)
    assert {each.kind for each in cited(done).values()} == {"survey", "object catalogue"}
    folder = done.store.directory(done.manifests["report"].ref)
    assert "Schlegel" not in (folder / "CITATIONS.bib").read_text("utf-8")


def test_a_compilation_cites_whoever_has_measurements_in_it(
    run, mock_run, mock_recipe, measured
) -> None:
    done = run(mock_recipe.model_copy(update={"catalog": None}), mock_run.store)
    assert list(done.manifests)[-2:] == ["partition", "report"]
    assert {key: each.rows for key, each in cited(done).items()} == (
        measured.survey.value_counts().to_dict())
    folder = done.store.directory(done.manifests["report"].ref)
    text = text_of((folder / "report.html").read_text("utf-8"))
    assert "galaxies_hats/" in text
    assert "Magnitude" not in text


def test_surveys_behind_an_earlier_compilation_are_cited(run, mock_run, mock_recipe) -> None:
    source = mock_recipe.redshifts.model_copy(update={
        "compilation": mock_run.manifests["combine"].address, "surveys": ()})
    done = run(mock_recipe.model_copy(update={"redshifts": source}), mock_run.store)
    assert cited(done) == cited(mock_run)
    folder = done.store.directory(done.manifests["report"].ref)
    assert "This run standardized no table" in (folder / "report.html").read_text("utf-8")


def test_an_own_table_is_named_as_the_users_own(run, mock_run, mock_recipe, tmp_path) -> None:
    galaxies = mock_run.table("combine", "galaxies").to_pandas()
    pd.DataFrame({"RA": galaxies.ra[:9], "DEC": galaxies.dec[:9], "Z": galaxies.z[:9]}).to_csv(
        tmp_path / "mine.csv", index=False)
    content = mock_recipe.model_dump(by_alias=True) | {"catalog": None, "redshifts": {"tables": [{
        "name": "mine", "file": str(tmp_path / "mine.csv"),
        "columns": {"ra": "RA", "dec": "DEC", "z": "Z"}}]}}
    done = run(type(mock_recipe).model_validate(content), open_store(tmp_path / "store"))
    assert cited(done) == {"mine": Cited(kind="own table", key="mine", name="mine",
                                         release="user", rows=9)}


def test_shuffled_rows_give_equal_metrics_and_an_equal_page(
    run, mock_run, mock_sky, page, tmp_path
) -> None:
    root = tmp_path / "shuffled"
    shutil.copytree(mock_sky.root, root)
    for file in (root / "surveys").glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.take(np.random.default_rng(8).permutation(len(table))), file)
    done = run(load_recipe(root / "recipe.yaml"), open_store(tmp_path / "store"))
    again = done.manifests["report"]
    assert again.content == mock_run.manifests["report"].content
    folder = done.store.directory(again.ref)
    addressed = re.compile(r"[0-9a-f]{64}|[\d.]+ [kM]?B\b")  # of other files, so compressed
    assert addressed.sub("", (folder / "report.html").read_text("utf-8")) == addressed.sub("", page)


def test_the_same_run_gives_the_same_page_byte_by_byte(mock_run, mock_recipe, tmp_path, page):
    """Made anew from the very artifacts, in a store that has everything but the report."""
    root = tmp_path / "store"
    shutil.copytree(mock_run.store.location, root, symlinks=True)
    shutil.rmtree(root / "objects" / "report")
    store = open_store(root)
    pins = pin(mock_recipe, store)
    again = report.run(store, stages=refs(mock_run), recipe=mock_recipe, release=pins.release,
                       dust=pins.dust)
    folder = store.directory(again.ref)
    assert (folder / "report.html").read_text("utf-8") == page


def test_a_report_of_private_rows_is_refused_to_another(run, mock_recipe, tmp_path) -> None:
    me = Access(kind="private", name="me")
    surveys = mock_recipe.redshifts.surveys
    private = mock_recipe.redshifts.model_copy(update={
        "surveys": (surveys[0].model_copy(update={"access": me}), *surveys[1:])})
    recipe = mock_recipe.model_copy(update={"redshifts": private})
    mine = open_store(tmp_path, Principal(name="me"))
    done = run(recipe, mine)
    told = done.manifests["report"]
    assert told.access == me
    assert "private:me" in (mine.directory(told.ref) / "report.html").read_text("utf-8")
    other = open_store(tmp_path, Principal(name="other"))
    for ask in (lambda: other.find(told.address), lambda: other.manifest(told.ref),
                lambda: other.directory(told.ref), lambda: other.read_table(told.ref, "metrics")):
        with pytest.raises(TsmError) as refused:
            ask()
        assert refused.value.codes == (Code.STORE_ACCESS,)


def test_where_files_lie_has_no_say_and_is_not_shown(mock_recipe, mock_sky, page) -> None:
    assert str(mock_sky.root) not in page
    assert str(mock_sky.root) not in json.dumps(shown(mock_recipe))
    elsewhere = mock_recipe.model_copy(update={
        "output": mock_recipe.output.model_copy(update={"directory": "/elsewhere"}),
        "cluster": mock_recipe.cluster.model_copy(update={"workers": 7}),
    })
    assert shown(elsewhere) == shown(mock_recipe)


def test_a_report_asks_for_every_stage_by_its_address(mock_run, mock_recipe) -> None:
    pins = pin(mock_recipe, mock_run.store)
    stages = refs(mock_run)
    request = report.request(stages=stages, recipe=mock_recipe, release=pins.release,
                             dust=pins.dust)
    assert request.stage == REPORT.name
    assert request.address == mock_run.manifests["report"].address
    # Equal content under another address: the rules may have fired otherwise.
    other = stages["combine"].model_copy(update={"address": "f" * 64})
    again = report.request(stages=stages | {"combine": other}, recipe=mock_recipe,
                           release=pins.release, dust=pins.dust)
    assert again.address != request.address


def test_a_plan_waits_for_the_report_as_long_as_any_stage_is_missing(
    mock_recipe, tmp_path
) -> None:
    from flows.journal import Journal

    store = open_store(tmp_path)
    planner = Planner(store, Journal(store, "none"))
    order_for(mock_recipe)(mock_recipe, pin(mock_recipe, store), planner)
    assert planner.steps[-1].label == "report"
    assert planner.steps[-1].state == "depends"
    assert planner.steps[-1].why.startswith("depends on retrieve desi_dr1, ")


def test_a_plan_does_not_wait_for_what_draws() -> None:
    code = ("import sys, flows.order\n"
            "sys.exit(bool({'matplotlib', 'jinja2', 'pybtex', 'cdshealpix'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_report_is_delivered_with_the_rest_and_the_record_tells_whom_to_cite(
    mock_run, mock_recipe, tmp_path
) -> None:
    output = mock_recipe.output.model_copy(update={"directory": str(tmp_path / "out")})
    recipe = mock_recipe.model_copy(update={"output": output})
    made = {label: manifest.ref for label, manifest in mock_run.manifests.items()}
    deliver(recipe, made, mock_run.store)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "report.html", "CITATIONS.bib", "ACKNOWLEDGEMENTS.md", "manifest.json",
        "training_set.parquet", "training_set_train.hdf5", "training_set_validation.hdf5",
        "training_set_test.hdf5"}
    record = RunRecord.model_validate_json((tmp_path / "out" / "manifest.json").read_bytes())
    assert {each.key: each for each in record.citations} == cited(mock_run)
    assert [stage.label for stage in record.stages][-1] == "report"
