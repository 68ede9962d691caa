"""A configuration as it stands in its file, in the layout of June 2026 or of July and later."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pz_tsm_core.existing.config import (
    Columns,
    Count,
    Executor,
    Inside,
    Name,
    PlainName,
    Read,
    one_of,
)
from pz_tsm_core.training_set_maker.science_catalogs import HatsConfig

#: Words for a format -> the format that is written; the word is the ending of the product.
FORMATS = {"csv": "csv", "fits": "fits", "fit": "fits", "parquet": "parquet", "pq": "parquet",
           "hdf5": "hdf5", "hats": "hats"}
#: Says that the product has the format of the redshifts, as no word does.
AS_SPECZ = "specz"


def _empty_is_none(value: Any) -> Any:
    return value or None


def _none_is_empty(value: Any) -> Any:
    return () if value is None else value


class Specz(Read):
    """A table of redshifts.

    Parameters
    ----------
    columns : standard name (ra, dec, z, id, z_err ...) -> native name
    """

    path: Name
    format: str | None = None
    columns: Columns = Field(default_factory=dict)


class Dataset(Read):
    """Photometry: the folder of a release, or a HATS catalogue.

    Parameters
    ----------
    columns : `id` -> the column by which an object is known
    """

    path: Name
    columns: Columns = Field(default_factory=dict)


class SpeczInputs(Read):
    """`inputs`, as far as redshifts go."""

    specz: Annotated[tuple[Specz, ...], Field(min_length=1)]


class DatasetInputs(Read):
    """`inputs`, as far as photometry goes."""

    dataset: Dataset


class Crossmatch(Read):
    """`param.crossmatch`: what the existing pipeline hands on to LSDB."""

    radius_arcsec: Annotated[float, Field(gt=0, le=3600)] = 1.0
    min_radius_arcsec: Annotated[float, Field(ge=0)] = 0.0
    n_neighbors: Count = 1
    how: Annotated[str, one_of("inner")] = "inner"
    algorithm: Annotated[str, one_of("kd_tree")] = "kd_tree"


class Param(Read):
    """`param`.

    Parameters
    ----------
    flux_type, convert_flux_to_mag, dereddening : which of the catalogues below a release
    use_absolute_lsdb_path : whether `inputs.dataset.path` is the catalogue itself
    hats_config : how the catalogue is made; None where there is one already
    selected_cols : columns of the catalogue; all if there are none
    """

    crossmatch: Crossmatch = Crossmatch()
    use_absolute_lsdb_path: bool = False
    selected_cols: Annotated[tuple[Name, ...], BeforeValidator(_none_is_empty)] = ()
    flux_type: PlainName = "auto"
    convert_flux_to_mag: bool = True
    dereddening: PlainName = "sfd"
    hats_config: Annotated[HatsConfig | None, BeforeValidator(_empty_is_none)] = None
    split_method: Annotated[str, one_of("random")] = "random"
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.7
    random_seed: int | None = None


class Config(Read):
    """Everything but `inputs` and `param`: what is wrong with one hides nothing in another."""

    output_root_dir: Name = "."
    output_dir: Inside = "outputs"
    output_name: PlainName = "tsm"
    output_format: Annotated[str, one_of(AS_SPECZ, *FORMATS)] | None = None
    executor: Executor = Executor()


class WithSpecz(Read):
    """A configuration, as far as redshifts go."""

    inputs: SpeczInputs


class WithDataset(Read):
    """A configuration, as far as photometry goes."""

    inputs: DatasetInputs


class WithParam(Read):
    """A configuration, as far as `param` goes."""

    param: Param = Param()
