"""What may go wrong while a stage makes an artifact, and who answers for it."""

from __future__ import annotations

from collections.abc import Callable

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Manifest
from pz_tsm_core.store.backend import MANIFEST
from pz_tsm_core.store.draft import Draft
from pz_tsm_core.store.refusals import DISK_FULL, io_errors


def fill_draft(draft: Draft, fill: Callable[[Draft], None]) -> None:
    """Run the stage; of its errors only a full disk is the store's to explain."""
    try:
        fill(draft)
    except OSError as error:
        if error.errno in DISK_FULL:
            with io_errors(str(draft.directory)):
                raise
        raise
    if (draft.directory / MANIFEST).exists():
        raise ValueError(f"a stage cannot write {MANIFEST}: the store does")


def agreed(ours: Manifest, theirs: Manifest) -> Manifest:
    """The other artifact, if it says the same as ours: equal requests have equal results."""
    if ours.content != theirs.content:
        raise refuse(
            Code.STORE_CONFLICT, f"{ours.request.stage} {ours.address}",
            found=f"results {ours.content} and {theirs.content} of one request",
            expected="equal results", remedy="report this: the stage depends on something unnamed",
        )
    return theirs
