"""What changed between two compilations, against sets of galaxies compared by hand."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.quality import diff as comparing
from pz_tsm_core.quality.changes import CHANGES
from pz_tsm_core.quality.diff import compilation_of, diff
from pz_tsm_core.store import open_store
from tests.unit.quality.compilations import Row, compiled

LOST, MUTE = Reason.LOST_ID, Reason.LOW_QUALITY


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def compared(store, old, new, **how):
    """The counts, and the lines of what changed."""
    parts = []
    told = diff(store, compiled(store, old), compiled(store, new), keep=parts.append, **how)
    table = pa.concat_tables(parts)
    assert table.schema.equals(CHANGES)
    return told, sorted(tuple(line.values()) for line in table.to_pylist())


def by_hand(old, new, dz):
    """The definition, over sets of ids."""
    speaking = [{galaxy: next(row.z for row in sorted(rows) if row.reason.winner)
                 for galaxy, rows in sky.items() if any(row.reason.winner for row in rows)}
                for sky in (old, new)]
    where = [{row.row_id: galaxy for galaxy, rows in sky.items() for row in rows}
             for sky in (old, new)]
    pairs = {(where[0][row], where[1][row]) for row in where[0].keys() & where[1].keys()}
    pairs = {(one, other) for one, other in pairs
             if one != other and one in speaking[0] and other in speaking[1]}
    sources, targets = {}, {}
    for one, other in pairs:
        sources.setdefault(other, {other} & speaking[0].keys()).add(one)
        targets.setdefault(one, {one} & speaking[1].keys()).add(other)
    lines = []
    for one, other in pairs:
        kinds = [kind for kind, several in (("merged", sources[other]), ("split", targets[one]))
                 if len(several) > 1] or ["renamed"]
        lines += [(other, one, kind, speaking[0][one], speaking[1][other]) for kind in kinds]
    for galaxy, z in speaking[1].items():
        if galaxy not in speaking[0] and galaxy not in sources:
            lines.append((galaxy, None, "added", None, z))
    for galaxy, z in speaking[0].items():
        if galaxy not in speaking[1] and galaxy not in targets:
            lines.append((galaxy, galaxy, "removed", z, None))
        elif galaxy in speaking[1] and abs(speaking[1][galaxy] - z) > dz * (1 + z):
            lines.append((galaxy, galaxy, "redshift", z, speaking[1][galaxy]))
    return lines, sources, targets, speaking


@st.composite
def skies(draw):
    """Rows 0 .. 11 in galaxies of huge ids, some without a row that speaks."""
    galaxies = draw(st.lists(st.sampled_from([0, 1, 7, 2**62, 2**63 - 1]), min_size=1,
                             max_size=12))
    sky = {}
    for row_id, galaxy in enumerate(galaxies):
        if not draw(st.booleans()) or row_id < 2:
            reason = draw(st.sampled_from([Reason.WON, Reason.TIED, LOST, MUTE]))
            z = draw(st.sampled_from([0.1, 0.1001, 0.2]))
            # Ids of rows are spread over all that there are, as hashes are.
            sky.setdefault(galaxy, []).append(
                Row(row_id * 2**59, z, draw(st.sampled_from(["deep", "wide"])), reason))
    return sky


@settings(max_examples=80)
@given(old=skies(), new=skies(), dz=st.sampled_from([0.0, 0.001]), size=st.sampled_from([1, 3, 99]))
def test_it_is_what_sets_compared_by_hand_say(tmp_path_factory, old, new, dz, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "SLICE_ROWS", size)
        store = open_store(tmp_path_factory.getbasetemp() / "skies")
        told, lines = compared(store, old, new, dz=dz)
    expected, sources, targets, speaking = by_hand(old, new, dz)
    assert sorted(lines, key=str) == sorted(expected, key=str)
    kinds = Counter(line[2] for line in expected)
    assert (told.added, told.removed, told.redshifts, told.renamed) == tuple(
        kinds[kind] for kind in ("added", "removed", "redshift", "renamed"))
    assert told.merged == sum(len(each) > 1 for each in sources.values())
    assert told.split == sum(len(each) > 1 for each in targets.values())
    assert told.regrouped == len(targets)
    assert (told.old_galaxies, told.new_galaxies) == tuple(map(len, speaking))
    rows = [{row.row_id for rows in sky.values() for row in rows} for sky in (old, new)]
    assert (told.rows_removed, told.rows_added) == (
        len(rows[0] - rows[1]), len(rows[1] - rows[0]))
    surveys = [Counter(row.survey for rows in sky.values() for row in rows) for sky in (old, new)]
    assert told.surveys == {name: (surveys[0][name], surveys[1][name])
                            for name in surveys[0] | surveys[1]}


def test_each_kind_of_change_is_told_by_its_name(store):
    old = {1: [Row(10)], 2: [Row(20)], 3: [Row(30), Row(31, reason=LOST)], 4: [Row(40)],
           5: [Row(50)], 6: [Row(60)], 7: [Row(70)]}
    new = {1: [Row(10)], 2: [Row(20), Row(40, reason=LOST)], 3: [Row(30)], 8: [Row(31)],
           9: [Row(50)], 6: [Row(60, 0.6)], 11: [Row(110)]}
    told, lines = compared(store, old, new)
    assert lines == [
        (2, 4, "merged", 0.5, 0.5), (6, 6, "redshift", 0.5, 0.6), (7, 7, "removed", 0.5, None),
        (8, 3, "split", 0.5, 0.5), (9, 5, "renamed", 0.5, 0.5), (11, None, "added", None, 0.5)]
    assert (told.merged, told.split, told.renamed, told.regrouped) == (1, 1, 1, 3)
    assert (told.added, told.removed, told.redshifts) == (1, 1, 1)


def test_a_row_that_moves_between_two_galaxies_splits_one_and_merges_with_the_other(store):
    old = {1: [Row(10), Row(11, reason=LOST)], 2: [Row(20)]}
    new = {1: [Row(10)], 2: [Row(20), Row(11, reason=LOST)]}
    told, lines = compared(store, old, new)
    assert (told.merged, told.split, told.regrouped) == (1, 1, 1)
    assert [line[:3] for line in lines] == [(2, 1, "merged"), (2, 1, "split")]


def test_a_new_release_of_a_survey_gives_other_rows_and_the_same_galaxies(store):
    told, lines = compared(store, {1: [Row(10)]}, {1: [Row(11)]})
    assert (lines, told.rows_added, told.rows_removed) == ([], 1, 1)


def test_nothing_changes_from_a_compilation_to_itself(mock_run):
    combined = mock_run.manifests["combine"].ref
    told = diff(mock_run.store, combined, combined, keep=lambda part: part.validate())
    galaxies = mock_run.table("combine", "galaxies")
    assert told.old_galaxies == told.new_galaxies == len(set(galaxies["galaxy_id"].to_pylist()))
    assert (told.added, told.removed, told.regrouped, told.redshifts) == (0, 0, 0, 0)
    assert sum(old for old, _ in told.surveys.values()) == mock_run.table(
        "combine", "measurements").num_rows


def test_what_rests_on_no_compilation_is_refused(store):
    version = ProductVersion.model_validate({
        "name": "deep", "version": 1, "kind": "table", "result": "put", "access": {},
        "created": "2026-01-01T00:00:00+00:00",
        "artifacts": {"put": {"stage": "put", "address": "0" * 64, "content": "0" * 32}}})
    with pytest.raises(TsmError) as caught:
        compilation_of(version)
    assert caught.value.codes == (Code.PRODUCT_NAME,)
    combined = version.model_copy(update={"artifacts": {COMBINE.name: version.ref}})
    assert compilation_of(combined) == version.ref
