"""A configuration carried out on disk, with the files that the existing pipeline leaves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pz_tsm_core.crc import log, process_file, publish
from pz_tsm_core.crc.combine import Combined, combine
from pz_tsm_core.crc.log import Log
from pz_tsm_core.crc.plan import Plan, load_plan
from pz_tsm_core.crc.process_file import ProcessFile
from pz_tsm_core.errors import Code, refuse
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
        return self.folder / log.FOLDER / log.NAME


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
    file = expanded(config)
    if not file.is_file():
        raise refuse(Code.FILE_MISSING, str(config), found="no such file",
                     expected="a configuration in YAML", remedy="correct the path")
    here = expanded(folder) if folder else _next_folder()
    (here / log.FOLDER).mkdir(parents=True, exist_ok=True)
    told = Log(here / log.FOLDER / log.NAME)
    process = ProcessFile.begin(here, str(Path(log.FOLDER, log.NAME)))
    try:
        publish.copy(file, here / "config.yaml")
        plan = load_plan(file)
        _tell_beginning(plan, told)
        publish.copy(plan.rule_file, here / plan.rule_file.name)
        combined = combine(plan, told.tell, told.warn)
        product = _publish(plan, combined, here, told, process)
    except BaseException as error:
        told.fail("run", error)
        process.fail()
        raise
    return Done(combined, plan, product, here)


def _next_folder() -> Path:
    return next(folder for number in count(1)
                if not (folder := Path(f"process{number:03d}")).exists())


def _tell_beginning(plan: Plan, told: Log) -> None:
    name = plan.config.executor.name
    told.tell("init", f"executor `{name}`: read, and left alone; the work is done in this process")
    told.tell("init", f"semantics of {'July' if plan.settings.newer else 'June'} 2026, rules of "
              f"{plan.rules.dialect}, {len(plan.inputs)} catalogues, {plan.settings.combine}")
    if plan.settings.ties == "draw_one":
        told.tell("init", "draw_one: the smallest CRD_ID, not one by chance")


def _publish(
    plan: Plan, combined: Combined, here: Path, told: Log, process: ProcessFile
) -> Path:
    """Write the product, and put everything where it is looked for, the status last."""
    config, table = plan.config, combined.table
    name = f"{config.output_name}.{plan.format}"
    target = Path(expanded(config.output_root_dir), config.output_dir)
    target.mkdir(parents=True, exist_ok=True)
    publish.write_product(table, here / name, plan.format)
    told.tell("consolidation", f"{table.num_rows:,} rows, {table.num_columns} columns in {name}")
    publish.copy(here / name, target / name, linked=True)
    publish.copy(here / "config.yaml", target / "config.yaml")
    publish.copy(here / plan.rule_file.name, target / "flags_translation.yaml")
    told.tell("register", f"published in {config.output_root_dir}/{config.output_dir}")
    publish.copy(here / log.FOLDER, target / log.FOLDER)
    process.succeed(str(Path(config.output_dir, name)), config.output_root_dir,
                    table.column_names)
    publish.copy(here / process_file.NAME, target / process_file.NAME)
    return target / name
