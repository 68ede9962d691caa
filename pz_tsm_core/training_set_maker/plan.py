"""A configuration with everything that it names: checked, and every mistake told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.existing.mistakes import entries, file_named, table_named
from pz_tsm_core.files import read_document
from pz_tsm_core.model.document import Document, Loc, build
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.training_set_maker.catalog import Catalog, find_catalog, missing_columns
from pz_tsm_core.training_set_maker.config import (
    AS_SPECZ,
    FORMATS,
    Config,
    Param,
    Specz,
    WithDataset,
    WithParam,
    WithSpecz,
)
from pz_tsm_core.training_set_maker.mistakes import (
    REQUIRED,
    find_dust,
    has_placeholders,
    missing_redshifts,
    missing_selected,
    note_format,
    unknown_keys,
)
from pz_tsm_core.training_set_maker.split import SEED

ModelT = TypeVar("ModelT", bound=BaseModel)

@dataclass(frozen=True)
class Photometry:
    """A catalogue of objects, and what is asked of it.

    Parameters
    ----------
    dust : where dust is looked up; None where it is not undone here
    id : the column by which objects are known, which need not be there
    """

    catalog: Catalog
    param: Param
    dust: Dereddening | None
    id: str | None


@dataclass(frozen=True)
class Plan:
    """A configuration whose files are there.

    Parameters
    ----------
    file : the redshifts
    format, ending : of the product
    remarks : what was passed over, though it stands there
    """

    document: Document
    config: Config
    specz: Specz
    file: Path
    where: Loc
    photometry: Photometry
    format: str
    ending: str
    remarks: tuple[str, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """The objects."""
        return self.photometry.catalog

    @property
    def param(self) -> Param:
        """What is asked for."""
        return self.photometry.param

    @property
    def columns(self) -> dict[str, str | None]:
        """Standard name -> native name of the redshifts, those that are required with them."""
        told = self.specz.columns
        return {**told, **{name: told.get(name) or name for name in REQUIRED}}

    @property
    def seed(self) -> int:
        """Of the split; a fixed one where the configuration names none."""
        seed = self.param.random_seed
        return SEED if seed is None else seed


def load_plan(path: str | Path) -> Plan:
    """Read a configuration; relative paths in it start at its folder, then at the working folder.

    Raises
    ------
    TsmError
        with every mistake of the file, every file and every column that is not there.
    """
    file = Path(path)
    return plan_of(read_document(file, code=Code.LEGACY_CONFIG), file.resolve().parent)


def plan_of(document: Document, root: Path) -> Plan:
    """Make a plan of a document whose relative paths start at `root`; as `load_plan`."""
    problems = Problems()
    config = _built(Config, document, problems)
    redshifts = _built(WithSpecz, document, problems)
    remarks = [*unknown_keys(document, problems)]
    where, file, more = _redshifts(document, root, problems)
    photometry = _photometry(document, root, problems)
    ending = _ending(config, file, where, document, problems)
    if problems.found:
        raise TsmError(*dict.fromkeys(problems.found))  # two parts may have met the same one
    if not (config and redshifts and photometry and file and ending):
        raise AssertionError("what cannot be read was told")  # pragma: no cover
    return Plan(document, config, redshifts.inputs.specz[-1], file, where, photometry,
                FORMATS[ending], ending, (*remarks, *more))


def _photometry(document: Document, root: Path, problems: Problems) -> Photometry | None:
    """The catalogue and what is asked of it, as far as both are known."""
    given = _built(WithDataset, document, problems)
    told = _built(WithParam, document, problems)
    unfilled = has_placeholders(document, problems)  # its columns are none of the catalogue's
    if not (given and told) or unfilled:
        return None
    dataset, param = given.inputs.dataset, told.param
    catalog = find_catalog(dataset, param, document, root, problems)
    dust = find_dust(param, file_named(dataset.path, root) or root, document, problems)
    if not catalog:
        return None
    missing_columns(catalog, param, document, problems)
    missing_selected(catalog, param, document, problems)
    return Photometry(catalog, param, dust, dataset.columns.get("id", "id"))


def _built(model: type[ModelT], document: Document, problems: Problems) -> ModelT | None:
    """A part of the configuration, as far as it can be read."""
    try:
        return build(model, document)
    except TsmError as error:
        problems.extend(error.problems)
        return None


def _redshifts(
    document: Document, root: Path, problems: Problems
) -> tuple[Loc, Path | None, tuple[str, ...]]:
    """The last of the tables of redshifts, which the existing pipeline takes, and a remark."""
    listed = list(entries(document))
    if not listed:
        return ("inputs", "specz"), None, ()
    loc, entry = listed[-1]
    file = table_named(entry.get("path"), (*loc, "path"), document, root, problems)
    if file:
        missing_redshifts(entry, file, loc, document, problems)
    if len(listed) == 1:
        return loc, file, ()
    remark = (f"{document.where(('inputs', 'specz'))}: {len(listed)} tables; only the last is "
              f"used, as the existing pipeline does; `tsm combine` puts several together")
    return loc, file, (remark,)


def _ending(
    config: Config | None, file: Path | None, where: Loc, document: Document, problems: Problems
) -> str | None:
    """The word for the product's format: its own, or that of the redshifts."""
    if config is None:
        return None
    if config.output_format and config.output_format != AS_SPECZ:
        return config.output_format
    told = dict(entries(document)).get(where, {}).get("format")
    word = told.strip().lower() if isinstance(told, str) else ""
    if not word and file:
        word = "hats" if file.is_dir() else file.suffix.removeprefix(".").lower()
    if word in FORMATS:
        return word
    if word or file:
        note_format(word, where, document, problems)
    return None
