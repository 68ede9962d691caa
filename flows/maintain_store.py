"""The flow that looks after the store: room, soundness, and what people may choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.serving import serving
from pz_tsm_core.errors import Code, Problems
from pz_tsm_core.model.product import ProductVersion, latest_of
from pz_tsm_core.service import MaintenanceRequest
from pz_tsm_core.service.requests import SERVICE
from pz_tsm_core.service.withdrawn import clear_withdrawn
from pz_tsm_core.store import Store


@flow(name="maintain-store", persist_result=False)
def maintain_store(request: MaintenanceRequest) -> None:
    """Promote what somebody chose, verify, then delete what nothing needs.

    Damage is told before anything is deleted: it may be what a repair needs.
    """
    with serving(request.owner, principal=SERVICE) as here:
        store = here.at.open()
        if request.promote:
            version = store.products.promote(request.promote, by=request.owner)
            get_run_logger().info("%s is %s@latest now", version, version.name)
        _verify(store, request.verify)
        if request.collect:
            _collect(store, timedelta(days=request.keep_days), dry_run=request.dry_run)
            for folder in clear_withdrawn(here.site, store, dry_run=request.dry_run):
                get_run_logger().info("%s %s", folder, _removed(dry_run=request.dry_run))


def _verify(store: Store, which: Literal["none", "latest", "all"]) -> None:
    problems, rows = Problems(), []
    for version in _versions(store, which):
        verified = store.verify(version)
        rows.append({"product": str(version), "files": verified.files, "bytes": verified.bytes,
                     "damaged": len(verified.damages)})
        for damage in verified.damages:
            problems.add(Code.STORE_CORRUPT, str(version), found=damage,
                         expected="every byte as it was published",
                         remedy="run its recipe again: what is damaged is made anew")
    if rows:
        create_table_artifact(rows, key="verified", description="Products, byte by byte.")
    problems.raise_if_any()


def _versions(store: Store, which: str) -> Iterator[ProductVersion]:
    if which == "all":
        yield from store.products.list()
    elif which == "latest":
        for name in store.products.names():
            if version := latest_of(store.products.versions(name)):
                yield version


def _collect(store: Store, spare: timedelta, *, dry_run: bool) -> None:
    collected = store.collect(dry_run=dry_run, spare=spare)
    removed = sum(each.bytes for each in collected.removed)
    told = _removed(dry_run=dry_run)
    get_run_logger().info("%d artifacts, %d bytes %s", len(collected.removed), removed, told)
    totals = {name: total for name, total in asdict(collected).items() if isinstance(total, dict)}
    lines = [f"| {name.replace('_', ' ')} | {total['artifacts']:,} | {total['bytes']:,} |"
             for name, total in {told: {"artifacts": len(collected.removed), "bytes": removed},
                                 **totals}.items()]
    create_markdown_artifact(
        "\n".join(["| | artifacts | bytes |", "|---|--:|--:|", *lines]), key="collected",
        description="What nothing needs.")


def _removed(*, dry_run: bool) -> str:
    return "would be removed" if dry_run else "removed"
