"""A configuration carried out on disk, with the files that the existing pipeline leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pz_tsm_core.crc.columns import associated
from pz_tsm_core.crc.combine import Combined, combine
from pz_tsm_core.crc.plan import Plan, load_plan
from pz_tsm_core.existing import publish
from pz_tsm_core.existing.log import FOLDER, NAME, Log
from pz_tsm_core.existing.run import Product, running
from pz_tsm_core.files import expanded


@dataclass(frozen=True)
class Done:
    """A run that ended well.

    Parameters
    ----------
    product : the file or folder that was published
    folder : of the run itself, with its log and copies of what it was told
    """

    combined: Combined
    plan: Plan
    product: Path
    folder: Path

    @property
    def log(self) -> Path:
        """What the run told, line by line."""
        return self.folder / FOLDER / NAME


def run(config: str | Path, folder: str | Path | None = None) -> Done:
    """Combine the catalogues of a configuration into the product that it names.

    The folder of the run gets `process.yml`, whose status is `Failed` until everything is in its
    place, copies of the configuration and of the rule file, the product, and a log in
    `process_info`. All of it is copied to `output_root_dir/output_dir`, which counts from the
    working folder. Nothing there is replaced unless the run succeeds.

    Parameters
    ----------
    folder : of the run; the first of process001, process002 ... that is not there if None

    Raises
    ------
    TsmError
        as `load_plan` and `combine`; `output.write` when a place cannot be written to.
    """
    with running(config, folder, pipeline="crc", copied="config.yaml") as begun:
        plan = load_plan(expanded(config))
        _tell_beginning(plan, begun.told)
        rule_file = begun.folder / plan.rule_file.name
        publish.copy(plan.rule_file, rule_file)
        combined = combine(plan, begun.told.tell, begun.told.warn)
        product = begun.publish(_product(plan, combined, rule_file))
    return Done(combined, plan, product, begun.folder)


def _tell_beginning(plan: Plan, told: Log) -> None:
    name = plan.config.executor.name
    told.tell("init", f"executor `{name}`: read, and left alone; the work is done in this process")
    told.tell("init", f"semantics of {'July' if plan.settings.newer else 'June'} 2026, rules of "
              f"{plan.rules.dialect}, {len(plan.inputs)} catalogues, {plan.settings.combine}")
    if plan.settings.ties == "draw_one":
        told.tell("init", "draw_one: the smallest CRD_ID, not one by chance")


def _product(plan: Plan, combined: Combined, rule_file: Path) -> Product:
    config, table = plan.config, combined.table
    return Product(
        table, f"{config.output_name}.{plan.format}", plan.format,
        expanded(config.output_root_dir), config.output_dir, associated(table.column_names),
        copies={"flags_translation.yaml": rule_file})
