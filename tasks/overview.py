"""What a person is shown of a finished run before the report is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.store import Store
from tasks.handover import PAGE

#: Of the plots of the page those that tell most; the others are there.
MAIN_PLOTS = ("by-survey", "by-part", "sky", "magnitude-redshift")


@dataclass(frozen=True)
class Overview:
    """A run in brief.

    Parameters
    ----------
    figures, pictures : Markdown
    rows : the balance of the rows, a mapping a stage
    """

    figures: str
    rows: list[dict[str, str]]
    pictures: str


def overview(
    product: ProductVersion, made: Mapping[str, ArtifactRef], store: Store
) -> Overview | None:
    """The figures, the balance of the rows and the main plots; none of what is one person's.

    Parameters
    ----------
    made : artifact of every stage by its label, the report among them
    """
    from pz_tsm_core.quality.brief import album, figures, rows_by_stage
    from pz_tsm_core.quality.drawings import drawings

    if product.access.kind == "private":
        return None
    report = made["report"]
    manifests = {label: store.manifest(ref) for label, ref in made.items()}
    metrics = store.read_table(report, "metrics").to_pylist()
    drawn = drawings((store.directory(report) / PAGE).read_text("utf-8"))
    return Overview(figures(metrics, manifests), rows_by_stage(manifests),
                    album(drawn[name] for name in MAIN_PLOTS if name in drawn))
