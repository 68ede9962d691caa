"""Time the report of a run against the floor of reading its columns: `make bench-report`.

One JSON object a line: a training set of about 300,000 rows over a mock sky, then ten times its
rows. Floor: the same columns of the same tables, read and dropped, pages verified. Each is a
process of its own; CPU, wall and memory are those that the kernel counts for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.order import distinct, training_set
from flows.pins import pin
from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import Draft, Store, open_store
from tasks.report import report
from tasks.stage import StageTask

OBJECTS, REDSHIFTS, TIMES = 1_000_000, 700_000, 10


def main() -> None:
    """Make the sky, run its recipe up to the report, and time the report at two sizes."""
    with tempfile.TemporaryDirectory() as folder:
        sky = Path(folder) / "sky"
        tsm = Path(sys.executable).with_name("tsm")
        sizes = ["--objects", str(OBJECTS), "--redshifts", str(REDSHIFTS)]
        subprocess.run([tsm, "mock", sky, *sizes], check=True, stdout=subprocess.DEVNULL)
        stages = _run(sky)
        _measure(sky, stages)
        _measure(sky, _grown(open_store(sky / "store"), stages))


def _run(sky: Path) -> dict[str, ArtifactRef]:
    """Artifacts of every stage but the report, by label."""
    recipe, store = load_recipe(sky / "recipe.yaml"), open_store(sky / "store")
    made: dict[str, ArtifactRef] = {}

    def do(stage: StageTask[...], /, **parameters: Any) -> ArtifactRef | None:
        if stage is report:
            return None
        label = distinct(stage.label(**parameters), made)
        made[label] = stage.run(store, **parameters).ref
        return made[label]

    training_set(recipe, pin(recipe, store), do)
    return made


def _grown(store: Store, stages: dict[str, ArtifactRef]) -> dict[str, ArtifactRef]:
    """The same run with ten times the rows: other ids, at positions a little apart."""
    grown = {"combine": ("measurements", "galaxies"), "split": ("training_set",)}
    return stages | {label: _repeated(store, stages[label], tables)
                     for label, tables in grown.items()}


def _repeated(store: Store, ref: ArtifactRef, tables: tuple[str, ...]) -> ArtifactRef:
    manifest = store.manifest(ref)

    def fill(draft: Draft) -> None:
        for name in tables:
            table = store.read_table(ref, name)
            draft.write_table(name, (batch for turn in range(TIMES)
                                     for batch in _moved(table, turn).to_batches()), table.schema)
        rows = manifest.rows
        draft.rows(TIMES * rows.taken, TIMES * rows.given,
                   {reason: TIMES * count for reason, count in rows.dropped.items()})
        for key, value in manifest.notes.items():
            draft.note(key, value)

    request = StageRequest(stage=ref.stage, version=1, policy={"times": TIMES, "of": ref.address})
    return store.publish(request, fill).ref


def _moved(table: pa.Table, turn: int) -> pa.Table:
    """The rows under other ids, each up to 3 arcmin away with its object."""
    rng = np.random.default_rng(turn)
    shift = rng.uniform(-0.05, 0.05, len(table)) * bool(turn)
    for place, field in enumerate(table.schema):
        if field.name in ("galaxy_id", "row_id", "objectId"):
            values = pc.bit_wise_xor(table[field.name], pa.scalar(turn << 52))
        elif field.name in ("dec", "coord_dec"):
            values = pa.array(np.clip(table[field.name].to_numpy() + shift, -90, 90))
        else:
            continue
        table = table.set_column(place, field, values)
    return table


def _measure(sky: Path, stages: dict[str, ArtifactRef]) -> None:
    store = open_store(sky / "store")
    refs = json.dumps({label: ref.model_dump(mode="json") for label, ref in stages.items()})
    floor = _child("floor", sky, refs)
    ours = _child("report", sky, refs)
    print(json.dumps({
        "work": "report", "rows": store.manifest(stages["split"]).table_rows["training_set"],
        "measurements": store.manifest(stages["combine"]).table_rows["measurements"],
        **{f"ours_{key}": value for key, value in ours.items()},
        "rival": "pyarrow reading the columns",
        **{f"rival_{key}": value for key, value in floor.items()},
        "ratio": round(ours["cpu_s"] / floor["cpu_s"], 2),
    }), flush=True)


def _child(work: str, sky: Path, refs: str) -> dict[str, float]:
    """Wall, CPU (of which imports) and memory of a process that does one thing."""
    began = time.monotonic()
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, __file__, work, sky], stdin=subprocess.PIPE,
                               stdout=write, text=True)
    os.close(write)
    process.stdin.write(refs)
    process.stdin.close()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    with os.fdopen(read) as told:
        imports, peak_kb = map(float, told.read().split())
    assert status == 0, f"{work} failed"
    return {"wall_s": round(wall, 2), "cpu_s": round(used.ru_utime + used.ru_stime, 2),
            "imports_cpu_s": round(imports, 2), "rss_gb": round(peak_kb / 2**20, 2)}


def _work(what: str, sky: Path) -> None:
    """The child: does its work, and tells the CPU time of its imports and its peak of memory."""
    stages = {label: ArtifactRef.model_validate(ref)
              for label, ref in json.load(sys.stdin).items()}
    recipe, store = load_recipe(sky / "recipe.yaml"), open_store(sky / "store")
    pins = pin(recipe, store)
    print(time.process_time())
    works: dict[str, Callable[[], object]] = {
        "report": lambda: report.run(store, stages=stages, recipe=recipe, release=pins.release,
                                     dust=pins.dust),
        "floor": lambda: _read(store, stages, pins.release, recipe),
    }
    works[what]()
    # Unlike getrusage, this does not begin with the memory of the parent that forked it.
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0])


def _read(store: Store, stages: dict[str, ArtifactRef], release: Any, recipe: Any) -> None:
    from pz_tsm_core.quality.summary import GALAXY_COLUMNS, MEASUREMENT_COLUMNS, TrainingSet

    told = TrainingSet(release, recipe.photometry.bands, recipe.match.radius_arcsec,
                       recipe.photometry.dereddening)
    for label, name, columns in (
        ("combine", "measurements", MEASUREMENT_COLUMNS), ("combine", "galaxies", GALAXY_COLUMNS),
        ("split", "training_set", told.columns),
    ):
        for _ in store.batches(stages[label], name, columns):
            pass


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _work(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
