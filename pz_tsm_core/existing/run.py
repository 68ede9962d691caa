"""The folder of a run, and how what it made gets to where it is looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.existing import log, process_file, publish
from pz_tsm_core.existing.log import Log
from pz_tsm_core.existing.process_file import ProcessFile
from pz_tsm_core.files import expanded


@dataclass(frozen=True)
class Product:
    """A table, and where a configuration wants it.

    Parameters
    ----------
    name : of the file or folder, with its ending
    root, folder : `output_root_dir`, and `output_dir` inside it
    associated : the service's name of each column that it knows -> its name in the table
    copies : names in `folder` -> files of the run, beside the configuration
    position, margin : as `publish.write_product`
    facts : what else `process.yml` says of the run
    """

    table: pa.Table
    name: str
    format: str
    root: Path
    folder: str
    associated: Mapping[str, str]
    copies: Mapping[str, Path] = field(default_factory=dict)
    position: tuple[str, str] = ("ra", "dec")
    margin: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A run in its folder, which has failed until its product is published.

    Parameters
    ----------
    config : the copy of the configuration in the folder
    """

    folder: Path
    config: Path
    told: Log
    process: ProcessFile

    def publish(self, product: Product) -> Path:
        """Write a product, and put everything where it is looked for, the status last."""
        table, name = product.table, product.name
        target = product.root / product.folder
        target.mkdir(parents=True, exist_ok=True)
        publish.write_product(table, self.folder / name, product.format,
                              position=product.position, margin=product.margin)
        self.told.tell("consolidation",
                       f"{table.num_rows:,} rows, {table.num_columns} columns in {name}")
        publish.copy(self.folder / name, target / name, linked=True)
        for copied, file in {self.config.name: self.config, **product.copies}.items():
            publish.copy(file, target / copied)
        self.told.tell("register", f"published in {target}")
        publish.copy(self.folder / log.FOLDER, target / log.FOLDER)
        self.process.succeed(str(Path(product.folder, name)), str(product.root),
                             product.associated, **product.facts)
        publish.copy(self.process.path, target / process_file.NAME)
        return target / name


@contextmanager
def running(
    config: str | Path, folder: str | Path | None, *, pipeline: str, copied: str
) -> Iterator[Running]:
    """Begin a run: its folder gets a log, `process.yml` and a copy of the configuration.

    Whatever ends the run early is told in both, and goes on.

    Parameters
    ----------
    folder : of the run; the first of process001, process002 ... that is not there if None
    pipeline : short name of the existing one, for the log
    copied : what the copy of the configuration is called

    Raises
    ------
    TsmError
        `file.missing` when there is no such configuration; nothing is left behind then.
    """
    file = expanded(config)
    if not file.is_file():
        raise refuse(Code.FILE_MISSING, str(config), found="no such file",
                     expected="a configuration in YAML", remedy="correct the path")
    here = expanded(folder) if folder else _next_folder()
    (here / log.FOLDER).mkdir(parents=True, exist_ok=True)
    told = Log(pipeline, here / log.FOLDER / log.NAME)
    process = ProcessFile.begin(here, str(Path(log.FOLDER, log.NAME)))
    try:
        publish.copy(file, here / copied)
        yield Running(here, here / copied, told, process)
    except BaseException as error:
        told.fail("run", error)
        process.fail()
        raise


def _next_folder() -> Path:
    return next(folder for number in count(1)
                if not (folder := Path(f"process{number:03d}")).exists())
