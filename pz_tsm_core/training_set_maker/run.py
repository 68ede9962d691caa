"""A configuration carried out on disk, with the files that the existing pipeline leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pz_tsm_core.existing.log import FOLDER, NAME, Log
from pz_tsm_core.existing.run import Product, running
from pz_tsm_core.files import expanded
from pz_tsm_core.training_set_maker.make import Made, make
from pz_tsm_core.training_set_maker.plan import Plan, load_plan


@dataclass(frozen=True)
class Done:
    """A run that ended well.

    Parameters
    ----------
    product : the file or folder that was published
    folder : of the run itself, with its log and copies of what it was told
    """

    made: Made
    plan: Plan
    product: Path
    folder: Path

    @property
    def log(self) -> Path:
        """What the run told, line by line."""
        return self.folder / FOLDER / NAME


def run(config: str | Path, folder: str | Path | None = None) -> Done:
    """Make the training set that a configuration names.

    The folder of the run gets `process.yml`, whose status is `Failed` until everything is in its
    place, a copy of the configuration, the product, and a log in `process_info`. All of it is
    copied to `output_root_dir/output_dir`, which counts from the folder of the run. Nothing there
    is replaced unless the run succeeds.

    Parameters
    ----------
    folder : of the run; the first of process001, process002 ... that is not there if None

    Raises
    ------
    TsmError
        as `load_plan` and `make`; `output.write` when a place cannot be written to.
    """
    with running(config, folder, pipeline="tsm", copied="config.yml") as begun:
        plan = load_plan(expanded(config))
        _tell_beginning(plan, begun.told)
        made = make(plan, begun.told.tell, begun.told.warn)
        product = begun.publish(_product(plan, made, begun.folder))
    return Done(made, plan, product, begun.folder)


def _tell_beginning(plan: Plan, told: Log) -> None:
    name = plan.config.executor.name
    told.tell("init", f"executor `{name}`: read, and left alone; the work is done in this process")
    told.tell("init", f"objects of {plan.catalog.path}"
              + (f", {len(plan.catalog.files)} files" if plan.catalog.files else ""))


def _product(plan: Plan, made: Made, folder: Path) -> Product:
    config, names = plan.config, made.table.column_names
    position = ("ra", "dec")
    if not set(position) <= set(names):
        position = (made.associated["ra"], made.associated["dec"])
    return Product(
        made.table, f"{config.output_name}.{plan.ending}", plan.format,
        folder / expanded(config.output_root_dir), config.output_dir, made.associated,
        position=position, margin="margin_5arcs", facts={"random_seed": plan.seed})
