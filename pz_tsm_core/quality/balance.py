"""Where the rows went, stage by stage, and whether every one of them is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pz_tsm_core.model.artifact import Manifest, Rows


@dataclass(frozen=True)
class Step:
    """The rows of one stage.

    Parameters
    ----------
    expected : what the stages before gave; None where rows come from outside the run
    """

    label: str
    rows: Rows
    expected: int | None

    @property
    def unaccounted(self) -> int:
        """Rows lost or won between the stages before and this one."""
        return 0 if self.expected is None else abs(self.expected - self.rows.taken)


def balance(manifests: Mapping[str, Manifest]) -> list[Step]:
    """Rows in and out of every stage that states them, in the order of the work.

    A stage must take what its inputs gave; those without rows of their own only say which. Inputs
    are known by content: of two with equal content either will do. What another run left (an
    earlier compilation) is not known here.
    """
    given = {manifest.content: manifest.rows.given if manifest.rows else 0
             for manifest in manifests.values()}
    return [Step(label, manifest.rows, _expected(manifest, given))
            for label, manifest in manifests.items() if manifest.rows]


def _expected(manifest: Manifest, given: Mapping[str, int]) -> int | None:
    inputs = [content for contents in manifest.request.inputs.values() for content in contents]
    if not inputs or not set(inputs) <= set(given):
        return None
    return sum(given[content] for content in inputs)
