"""What each process of `bench/combine.py` does: prepare, then work, then tell the result."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from apart import Work, be_child, peak_gb
from combine_skies import RADIUS, disc, field, measurements, naive_groups, partition_digest


def stages(sky: str, store_at: str, workers: str) -> Work:
    """A compilation from survey files to HATS, stage by stage as a flow submits them."""
    for name in LAZY:
        importlib.import_module(name)
    from flows.order import compilation
    from flows.pins import pin
    from pz_tsm_core.recipes import load_recipe
    from pz_tsm_core.store import open_store

    def work() -> Iterator[dict[str, Any]]:
        recipe, store = load_recipe(Path(sky) / "recipe.yaml"), open_store(store_at)
        with Pool(store, int(workers)) as do:
            combined = compilation(recipe, do.timed("pin", pin, recipe, store), do).result()
        yield {}
        ids = store.read_table(combined.ref, "measurements", ["galaxy_id"])["galaxy_id"].to_numpy()
        yield {
            "rows": len(ids), "partition": partition_digest(ids), "stages": do.told,
            "contents": do.contents, "combined": combined.ref.model_dump(mode="json"),
        }

    return work


#: What stages import only when they run.
LAZY = ("pyarrow.csv", "pyarrow.parquet", "astropy.io.fits", "astropy.table", "pz_tsm_core.tables",
        "pz_tsm_core.ops.standardize", "pz_tsm_core.sky.combine", "pz_tsm_core.sky.layout")


class Pool:
    """The `do` of an order: a few stages at a time, each after those whose artifacts it takes."""

    #: These have the process to themselves, so that its clock is theirs; others share it.
    ALONE = ("pin", "combine", "partition")

    def __init__(self, store: Any, workers: int) -> None:
        self.told: dict[str, dict[str, float]] = {}
        self.contents: list[str] = []
        self._store, self._pool = store, ThreadPoolExecutor(workers)
        self._futures: list[Future[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self.contents = sorted(future.result().content for future in self._futures)

    def __call__(self, stage: Any, /, **parameters: Any) -> Future[Any] | None:
        if stage.name == "report":
            return None
        self._futures.append(self._pool.submit(self._run, stage, parameters))
        return self._futures[-1]

    def _run(self, stage: Any, parameters: dict[str, Any]) -> Any:
        ready = {name: _settled(value) for name, value in parameters.items()}
        return self.timed(stage.name, stage.run, self._store, **ready)

    def timed(self, name: str, call: Any, *arguments: Any, **parameters: Any) -> Any:
        """Do it and add what it took to the stage's account."""
        clock = time.process_time if name in self.ALONE else time.thread_time
        wall, cpu = time.monotonic(), clock()
        done = call(*arguments, **parameters)
        wall, cpu = time.monotonic() - wall, clock() - cpu
        account = self.told.setdefault(name, {"wall_s": 0.0, "cpu_s": 0.0})
        account["wall_s"] = round(account["wall_s"] + wall, 2)
        account["cpu_s"] = round(account["cpu_s"] + cpu, 2)
        account["rss_gb"] = round(peak_gb(), 2)
        return done


def _settled(value: Any) -> Any:
    """References to artifacts where there were futures of manifests."""
    if isinstance(value, list):
        return [_settled(each) for each in value]
    return value.result().ref if isinstance(value, Future) else value


def naive_on_store(store_at: str, combined: str) -> Work:
    """The plain grouping of the measurements that a compilation holds."""
    from pz_tsm_core.model.artifact import ArtifactRef
    from pz_tsm_core.store import open_store

    ref = ArtifactRef.model_validate(json.loads(combined))
    table = open_store(store_at).read_table(ref, "measurements", ["ra", "dec"])
    ra, dec = (column.to_numpy() for column in table.columns)

    def work() -> Iterator[dict[str, Any]]:
        group = naive_groups(ra, dec)
        yield {}
        yield {"rows": len(group), "partition": partition_digest(group)}

    return work


def our_grouping(n: str, turns: str) -> Work:
    """Pairs and components of ours, several times over where once is too short to time."""
    from pz_tsm_core.ops.associate import links_within
    from pz_tsm_core.ops.reach import one_radius

    def group(ra: Any, dec: Any) -> Any:
        with ThreadPoolExecutor(2) as pool:
            links = links_within(ra, dec, one_radius(RADIUS), mapper=pool.map)
        return links.components(len(ra))

    return _grouping(group, n, turns)


def naive_grouping(n: str, turns: str) -> Work:
    """The same in the plain way."""
    return _grouping(naive_groups, n, turns)


def _grouping(group: Any, n: str, turns: str) -> Work:
    ra, dec = field(int(n))

    def work() -> Iterator[dict[str, Any]]:
        for _ in range(int(turns)):
            labels = group(ra, dec)
        yield {}
        yield {"rows": len(labels), "partition": partition_digest(labels)}

    return work


def dense(n: str, arcsec: str, turns: str) -> Work:
    """Combine so many measurements within a few arcsec."""
    return _combining(measurements(*disc(int(n), float(arcsec))), turns)


def sparse(n: str, _arcsec: str, turns: str) -> Work:
    """Combine as many measurements over a field."""
    return _combining(measurements(*field(int(n))), turns)


def _combining(table: pa.Table, turns: str) -> Work:
    from pz_tsm_core.model.combining import CombinePolicy
    from pz_tsm_core.ops.combine import combine

    policy = CombinePolicy(radius_arcsec=RADIUS)

    def work() -> Iterator[dict[str, Any]]:
        for _ in range(int(turns)):
            done = combine(table, policy)
        yield {}
        found = done.measurements
        naive = naive_groups(found["ra"].to_numpy(), found["dec"].to_numpy())
        as_naive = partition_digest(found["galaxy_id"].to_numpy()) == partition_digest(naive)
        yield {"rows": len(table), "as_naive": as_naive, "digests": _digests(done)}

    return work


def _digests(done: Any) -> list[str]:
    from pz_tsm_core.store import table_digest

    return [table_digest(table) for table in (done.measurements, done.galaxies, done.pairs)]


def in_order(n: str) -> Work:
    """Combine measurements as they come."""
    return _combining(measurements(*field(int(n))), "1")


def shuffled(n: str) -> Work:
    """Combine the same measurements in another order."""
    order = np.random.default_rng(1).permutation(int(n))
    return _combining(measurements(*field(int(n))).take(pa.array(order)), "1")


def tsm_combine(config: str, folder: str, modules: str = "") -> Work:
    """`tsm combine CONFIG` in a folder, after the modules that an earlier run had imported."""
    from pz_tsm_core.cli import main

    for name in Path(modules).read_text().split() if modules else ():
        with suppress(ImportError):
            importlib.import_module(name)

    def work() -> Iterator[dict[str, Any]]:
        os.chdir(folder)
        sys.argv = ["tsm", "combine", config]
        with redirect_stdout(StringIO()), suppress(SystemExit):
            main()
        yield {}
        product = max(Path(folder).rglob("crd*.parquet"), default=None)
        yield {**crd(product), "modules": list(sys.modules)}

    return work


def crd(product: Path | None) -> dict[str, Any]:
    """What two products of the existing pipeline's kind must share."""
    import pyarrow.parquet as pq

    if product is None:
        return {"rows": 0}
    table = pq.read_table(product, columns=["CRD_ID", "tie_result", "group_id"]).sort_by("CRD_ID")
    ties = dict(zip(table["CRD_ID"].to_pylist(), table["tie_result"].to_pylist(), strict=True))
    return {"rows": len(table), "ties": ties,
            "partition": partition_digest(table["group_id"].to_numpy())}


WAYS = {
    "stages": stages, "naive on store": naive_on_store, "our grouping": our_grouping,
    "one KD-tree over the whole sky": naive_grouping, "a dense field": dense,
    "a sparse field": sparse, "in order": in_order, "shuffled": shuffled,
    "tsm combine": tsm_combine,
}


if __name__ == "__main__":
    be_child(WAYS)
