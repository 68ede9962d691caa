"""Make a mock sky on disk: the Object catalogue, survey files, dust maps and the truth."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.mock import files
from pz_tsm_core.mock.catalog import OBJECT_SCHEMA, TRUTH_SCHEMA, object_table, truth_table
from pz_tsm_core.mock.dust import write_sfd_maps
from pz_tsm_core.mock.footprint import Chunk, apportion, chunks_inside, chunks_outside
from pz_tsm_core.mock.galaxies import populate
from pz_tsm_core.mock.spec import MOCK_VERSION, MockPaths, MockSky
from pz_tsm_core.mock.surveys import chosen_surveys
from pz_tsm_core.mock.targets import Measurements, MockSurvey, observe
from pz_tsm_core.sky.ordered import in_order
from pz_tsm_core.sky.write import Collection, Partition, finish_collection, write_partition
from pz_tsm_core.store import PARQUET

#: Called with what is being made, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Made:
    """What is left of a chunk once its objects are on disk."""

    chunk: Chunk
    partition: Partition | None
    truth: pa.Table | None
    seen: dict[str, Measurements]


def make_mock(
    directory: Path,
    spec: MockSky | None = None,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> MockPaths:
    """Make the mock sky of a spec, or find it already made.

    Parameters
    ----------
    directory : to be created; a mock sky of the same spec is left as it is
    workers : threads; the result does not depend on them
    progress : told what is being made, chunks done and chunks in all

    Returns
    -------
    MockPaths
        Equal specs give byte-equal survey files, partitions, dust maps and truth.

    Raises
    ------
    TsmError
        output.exists for a directory that holds anything else, survey.unknown
    """
    spec = spec or MockSky()
    surveys = chosen_surveys(spec.surveys)
    paths = MockPaths(directory, {survey.key: directory / "surveys" / survey.file
                                  for survey in surveys})
    if _already_made(paths, spec):
        return paths
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and moved in place whole: an interrupted run leaves nothing that looks finished.
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _make(MockPaths(aside, {}), spec, surveys, workers, progress or _silent)
        aside.chmod(0o755)
        _move_in_place(aside, paths, spec)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return paths


def _move_in_place(aside: Path, paths: MockPaths, spec: MockSky) -> None:
    try:
        aside.replace(paths.root)
    except OSError:
        # Somebody else was faster: theirs stands, when it is the same sky.
        if not _already_made(paths, spec):
            raise


def _already_made(paths: MockPaths, spec: MockSky) -> bool:
    if not paths.root.exists() or not any(paths.root.iterdir()):
        return False
    if paths.record.exists() and paths.record.read_text(encoding="utf-8") == spec.to_json():
        return True
    found = "a mock sky of another spec" if paths.record.exists() else "something else"
    raise refuse(Code.OUTPUT_EXISTS, str(paths.root), found=found,
                 expected="a new or empty directory, or a mock sky of the same spec",
                 remedy="name another directory or remove this one")


def _make(
    paths: MockPaths, spec: MockSky, surveys: tuple[MockSurvey, ...], workers: int,
    progress: Progress,
) -> None:
    collection = Collection(paths.objects, "object", OBJECT_SCHEMA, "coord_ra", "coord_dec",
                            spec.margin_arcsec)
    rows = _rows_of_surveys(spec, surveys)
    n_outside = sum(outside for _, outside in rows.values())
    chunks = [*chunks_inside(spec), *chunks_outside(spec, 4 * n_outside + 100)]
    quotas = {survey.key: _quotas(survey, chunks, *rows[survey.key]) for survey in surveys}
    jobs = [partial(_make_chunk, spec, chunk, collection, surveys,
                    {key: int(quota[place]) for key, quota in quotas.items()})
            for place, chunk in enumerate(chunks)]
    partitions: list[Partition] = []
    seen: dict[str, list[Measurements]] = {survey.key: [] for survey in surveys}
    paths.truth_objects.parent.mkdir(parents=True)
    with (
        ThreadPoolExecutor(workers) as pool,
        pq.ParquetWriter(paths.truth_objects, TRUTH_SCHEMA, **PARQUET) as truth,
    ):
        for done, made in enumerate(in_order(pool, _call, jobs, ahead=workers), start=1):
            if made.partition is not None:
                partitions.append(made.partition)
                truth.write_table(made.truth)
            for key, part in made.seen.items():
                seen[key].append(part)
            progress("sky", done, len(chunks))
    finish_collection(collection, partitions)
    files.write_surveys(paths, spec, surveys, {key: Measurements.concat(parts)
                                               for key, parts in seen.items()})
    write_sfd_maps(paths.dust)
    paths.record.write_text(spec.to_json(), encoding="utf-8")


def _call(job: Callable[[], Made]) -> Made:
    return job()


def _make_chunk(
    spec: MockSky, chunk: Chunk, collection: Collection, surveys: tuple[MockSurvey, ...],
    rows: dict[str, int],
) -> Made:
    sky = populate(spec, chunk)
    seen = {survey.key: observe(survey, spec, chunk, sky, rows[survey.key]) for survey in surveys}
    if not chunk.inside:
        return Made(chunk, None, None, seen)
    objects = object_table(sky, chunk.generator(spec, MOCK_VERSION))
    return Made(chunk, write_partition(collection, chunk.tile, objects), truth_table(sky), seen)


def _rows_of_surveys(
    spec: MockSky, surveys: tuple[MockSurvey, ...]
) -> dict[str, tuple[int, int]]:
    """Rows of each survey on the footprint and off it; together those of the spec."""
    totals = apportion(spec.n_redshifts, np.array([survey.share for survey in surveys]))
    outside = [round(int(total) * survey.outside)
               for total, survey in zip(totals, surveys, strict=True)]
    return {survey.key: (int(total) - out, out)
            for survey, total, out in zip(surveys, totals, outside, strict=True)}


def _quotas(
    survey: MockSurvey, chunks: list[Chunk], n_inside: int, n_outside: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows of the survey in each chunk."""
    inside = np.array([chunk.inside for chunk in chunks])
    weights = np.array([survey.weight_in(chunk) for chunk in chunks])
    quotas = np.zeros(len(chunks), dtype=np.int64)
    for where, rows in ((inside, n_inside), (~inside, n_outside)):
        quotas[where] = apportion(rows, weights[where])
    if survey.hard:
        _make_room_for_pairs(quotas, chunks)
    return quotas


def _make_room_for_pairs(
    quotas: np.ndarray[tuple[int], np.dtype[np.int64]], chunks: list[Chunk]
) -> None:
    """Move rows from the fullest chunk to those too small for both members of their pairs."""
    for place, chunk in enumerate(chunks):
        lacking = max(0, 4 * chunk.n_hard - int(quotas[place]))
        quotas[place] += lacking
        quotas[np.argmax(quotas)] -= lacking


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
    del what, done, total
