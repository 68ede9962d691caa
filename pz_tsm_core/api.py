"""The pipeline from a notebook: the same stages on tables in memory, without Prefect.

Every function takes a pandas, astropy or Arrow table and gives back one of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core import crc, legacy, training_set_maker
from pz_tsm_core.display.rules import check_survey, explain_flags
from pz_tsm_core.display.surveys import find_survey, list_surveys, show_survey
from pz_tsm_core.dust import check_dust, open_dust
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.existing.log import Log
from pz_tsm_core.files import expanded
from pz_tsm_core.frames import TABLES, like, to_arrow
from pz_tsm_core.model.combining import CombinePolicy, Preset
from pz_tsm_core.model.document import Document, checked
from pz_tsm_core.model.photometry import (
    BANDS,
    NJY_ZERO_POINT,
    PhotometryPolicy,
    SelectPolicy,
)
from pz_tsm_core.model.policy import ClusterPolicy, Dereddening, MatchPolicy, SplitPolicy
from pz_tsm_core.model.quality import Quality
from pz_tsm_core.model.recipe import UserTable
from pz_tsm_core.model.schema import described
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops import combine as combining
from pz_tsm_core.ops import photometry, selection
from pz_tsm_core.ops import split as splitting
from pz_tsm_core.ops import standardize as standardizing
from pz_tsm_core.ops.object_columns import columns_needed, require_columns, require_fluxes
from pz_tsm_core.products import list_products, open_product, put
from pz_tsm_core.propose import propose_recipe
from pz_tsm_core.releases import find_release
from pz_tsm_core.retrieval import fetch
from pz_tsm_core.store import PARQUET
from pz_tsm_core.surveys import survey_of_table

__all__ = [
    "check_survey", "combine", "combine_catalogs", "crossmatch", "explain_flags", "fetch",
    "homogenize", "list_products", "list_surveys", "magnitudes", "match", "match_catalogs",
    "open_product", "own_survey", "propose_recipe", "put", "read", "select", "show_survey", "split",
    "standardize", "write",
]


def read(path: str | Path, columns: list[str] | None = None) -> Any:
    """Read a table file of any format, or a HATS folder, into a pandas.DataFrame.

    64-bit ids stay integers; docs/reference/formats.md tells the formats.
    """
    from pz_tsm_core import tables

    return like(tables.read(path, columns), pd.DataFrame())


def standardize(
    table: Any,
    survey: str | Survey,
    *,
    bad_positions: Literal["refuse", "drop"] = "refuse",
    survey_path: str | Path | None = None,
) -> Any:
    """Bring a survey's native table to the standard columns and the quality scale 0-4.

    Parameters
    ----------
    survey : its key, such as "desi_dr1", the YAML file of its definition, or a definition
    bad_positions : what to do with rows without a position on the sphere
    survey_path : a folder of definitions of your own
    """
    definition = find_survey(survey, survey_path)
    done = standardizing.standardize(to_arrow(table), definition, bad_positions=bad_positions)
    return like(done.table, table)


def homogenize(
    table: Any,
    columns: Mapping[str, str | None],
    rules: str | Path | legacy.RuleFile,
    *,
    nullable: bool = False,
) -> Any:
    """Give a catalogue the homogenized columns of an existing pipeline, by its rule file.

    Parameters
    ----------
    columns : standard name (id, ra, dec, z, z_flag, z_err, survey ...) -> native name
    rules : a `flags_translation.yaml`, or what `pz_tsm_core.legacy` read of one
    nullable : whether the catalogue comes from CSV, FITS or HDF5: the older pipeline then never
        takes a missing number for unequal to something, as it does in one from Parquet

    Returns
    -------
    The converted table with `z_flag_homogenized`, `instrument_type_homogenized` and, where the
    file decides it, `object_type_homogenized`; for what every rule decided use
    `pz_tsm_core.legacy.homogenize`.

    Examples
    --------
    >>> from pz_tsm_core.legacy import parse_rule_file
    >>> rules = parse_rule_file('''
    ... translation_rules:
    ...   TWO: {z_flag_translation: {1: 0, 4: 4, conditions: [{expr: z_err > 1, value: 1}]},
    ...         instrument_type_translation: {default: s}}
    ... ''', "flags_translation.yaml")
    >>> table = pd.DataFrame({"Q": [1, 4, 4], "e": [0.1, 0.1, 2.0], "name": ["two"] * 3})
    >>> columns = {"z_flag": "Q", "z_err": "e", "survey": "name"}
    >>> homogenize(table, columns, rules)["z_flag_homogenized"].tolist()
    [0.0, 4.0, 1.0]
    """
    if not isinstance(rules, legacy.RuleFile):
        rules = legacy.load_rule_file(expanded(rules))
    done = legacy.homogenize(to_arrow(table), columns, rules, nullable=nullable)
    return like(done.table, table)


def own_survey(
    name: str,
    *,
    ra: str,
    dec: str,
    z: str,
    quality: str | int = Quality.SECURE,
    z_err: str | None = None,
    id: str | None = None,  # noqa: A002 - the recipe's word
    pos_err: str | None = None,
    snr: str | None = None,
    year: int | None = None,
    **kinds: str,
) -> Survey:
    """Say which column of your own table is what, so that `standardize` takes it.

    Parameters
    ----------
    ra, dec, z, z_err, id, pos_err, snr : names of columns; positions in degrees, ICRS, and their
        error on each axis in arcsec
    quality : a column that holds 0-4, or one value for all rows
    year : in which the redshifts came out
    kinds : `object_class` and `instrument_type` of all rows, galaxy and s unless told
    """
    columns = {"ra": ra, "dec": dec, "z": z, "z_err": z_err, "id": id,
               "pos_err": pos_err, "snr": snr}
    constant = {} if isinstance(quality, str) else {"quality": quality}
    if isinstance(quality, str):
        columns["quality"] = quality
    named = {key: column for key, column in columns.items() if column}
    return survey_of_table(
        checked(UserTable, name=name, file="in memory", columns=named, year=year, **constant,
                **kinds)
    )


def combine(*tables: Any, preset: Preset = "default", **policy: Any) -> Any:
    """One row a galaxy from standard tables of any number of surveys.

    Parameters
    ----------
    preset : "default", "des" or "crc": what holds where `policy` says nothing
    policy : any choice of `combine:` in a recipe, such as `radius_arcsec=0.75`, `min_quality=3`,
        `prefer=["quality", "z_err"]` or `disagreement="drop"`; all of them are told in
        `pz_tsm_core.model.combining.CombinePolicy`

    Returns
    -------
    The best measurement of every galaxy, with `galaxy_id`; for every measurement's reason and
    all pairs use `pz_tsm_core.ops.combine.combine`.
    """
    if not tables:
        raise refuse(Code.TABLE_EMPTY, "combine", found="no table", expected="at least one",
                     remedy="standardize a survey first")
    chosen = checked(CombinePolicy, preset=preset, **policy)
    rows = pa.concat_tables([to_arrow(table) for table in tables], promote_options="permissive")
    return like(combining.combine(rows, chosen).galaxies, tables[0])


def combine_catalogs(config: str | Path | Mapping[str, Any]) -> pd.DataFrame:
    """The table that an existing pipeline's configuration asks for; nothing is written.

    Parameters
    ----------
    config : a YAML file, or what stands in one; relative paths start at the file's folder, then at
        the working folder

    Returns
    -------
    Rows in the order of the configuration and of its catalogues, with `CRD_ID`, the homogenized
    columns and, unless they are only put together, `tie_result`, `compared_to` and `group_id`.
    """
    if isinstance(config, Mapping):
        plan = crc.plan_of(_document(config), Path.cwd())
    else:
        plan = crc.load_plan(expanded(config))
    log = Log("crc")
    rows: pd.DataFrame = like(crc.combine(plan, log.tell, log.warn).table, pd.DataFrame())
    return rows


def match_catalogs(config: str | Path | Mapping[str, Any]) -> pd.DataFrame:
    """The training set that an existing pipeline's configuration asks for; nothing is written.

    Parameters
    ----------
    config : as `combine_catalogs`, but of Training Set Maker

    Returns
    -------
    The matched rows in the order of the sky: columns of the redshifts, with `_specz` where the
    objects have one of that name, those of the objects, `_dist_arcsec` and `is_training_set`.
    """
    if isinstance(config, Mapping):
        plan = training_set_maker.plan_of(_document(config), Path.cwd())
    else:
        plan = training_set_maker.load_plan(expanded(config))
    log = Log("tsm")
    made = training_set_maker.make(plan, log.tell, log.warn)
    rows: pd.DataFrame = like(made.table, pd.DataFrame())
    return rows


def _document(config: Mapping[str, Any]) -> Document:
    return Document("configuration", dict(config), {}, Code.LEGACY_CONFIG)


def match(
    galaxies: Any,
    catalog: str | Path,
    *,
    release: str = "dp1",
    flux: str | Sequence[str] = "cModel",
    bands: Sequence[str] = BANDS,
    columns: Sequence[str] = (),
    workers: int = 2,
    **policy: Any,
) -> Any:
    """Give every galaxy its nearest LSST object within the radius, and the object's fluxes.

    Parameters
    ----------
    galaxies : as `combine` leaves them
    catalog : a HATS catalogue or collection: a folder, https:// or s3://
    release : key of a profile, or a YAML file of your own that says which column is what
    flux, bands : one kind of flux or several, in these bands
    columns : of the catalogue, to come along
    workers : threads
    policy : any choice of `match:` in a recipe, such as `radius_arcsec=0.75`, `unique=False`,
        `n_neighbors=3`, `how="left"` or `offsets="fit"`; all of them are told in
        `pz_tsm_core.model.policy.MatchPolicy`
    """
    from pz_tsm_core.sky.match import match_galaxies
    from pz_tsm_core.sky.objects import open_objects

    profile, objects = find_release(release), open_objects(str(catalog))
    known = objects.schema.names
    photometric = checked(PhotometryPolicy, flux=flux, bands=tuple(bands))
    wanted = columns_needed(profile, photometric, SelectPolicy(), extra=columns, known=known)
    require_fluxes(profile, photometric, known)
    require_columns(wanted, known)
    table = match_galaxies(
        to_arrow(galaxies),
        objects,
        release=profile,
        columns=wanted,
        policy=checked(MatchPolicy, **policy),
        cluster=checked(ClusterPolicy, workers=workers),
    )
    return like(table, galaxies)


def crossmatch(
    left: Any,
    right: str | Path,
    *,
    n_neighbors: int = 1,
    radius_arcsec: float = 1.0,
    min_radius_arcsec: float = 0.0,
    how: Literal["inner", "left"] = "inner",
    left_columns: Sequence[str] | Literal["all"] | None = None,
    right_columns: Sequence[str] | Literal["all"] | None = None,
    suffixes: tuple[str, str] | None = None,
    suffix_method: Literal["overlapping_columns", "all_columns"] = "overlapping_columns",
    output_catalog_name: str | None = None,
    ra_column: str = "ra",
    dec_column: str = "dec",
    id_column: str = "",
    scratch: str | Path | None = None,
    workers: int = 2,
) -> Any:
    """Match two catalogues as LSDB's `left.crossmatch(right)` does, and give an `lsdb.Catalog`.

    Rows, columns and types are LSDB's, but no margin is needed, and no pair is lost without one.
    The pairs are found before it returns; columns are read, in the partitions of the left side,
    when they are asked for. Where several rows of `right` are equally near, the first along the
    sky comes first.

    Parameters
    ----------
    left : a HATS catalogue or collection (a folder, https:// or s3://), or a pandas, astropy or
        Arrow table, which is called `left`
    right : a HATS catalogue or collection
    n_neighbors : so many of `right` at most for each row, the nearest
    radius_arcsec, min_radius_arcsec : at most so far, and farther than that if it is not 0
    how : with "left", rows of which nothing is near stay, with nulls
    left_columns, right_columns : by name, or "all"; by default those that the catalogue names as
        its default, or all. Positions come in any case, as in `lsdb.open_catalog`
    suffixes : for columns of `left` and of `right`; the names of the catalogues, behind `_`, by
        default
    suffix_method : which columns have them: those of a name that both have, or all
    output_catalog_name : `<left>_x_<right>` by default
    ra_column, dec_column : of a table, ICRS positions in degrees
    id_column : of `right`, whole numbers, by which equal separations are settled instead
    scratch : folder for temporary files, by default that of the system: 64 bytes for each pair
        and, of a table, its rows. They leave when the catalogue and what was made of it are no
        longer in use. Workers on other machines must see it
    workers : threads of this process that find the pairs; what comes later runs where Dask runs

    Returns
    -------
    lsdb.Catalog
        Columns of `left`, columns of `right`, and `_dist_arcsec`. It knows its number of rows.
        A partition reads each file of `right` that it has pairs in: where `left` is divided far
        more finely than `right`, files are read many times.

    Raises
    ------
    TsmError
        `catalog.*`, `table.*` or `position.*` for what cannot be matched; `match.empty` if
        nothing matches, unless `how` is "left".
    """
    from pz_tsm_core.sky.crossmatched import Rows, crossmatch_catalogs
    from pz_tsm_core.sky.matched_columns import Naming

    in_memory = isinstance(left, TABLES)
    return crossmatch_catalogs(
        Rows(to_arrow(left), ra_column, dec_column) if in_memory else _place(left, "left"),
        _place(right, "right"),
        policy=checked(MatchPolicy, n_neighbors=n_neighbors, radius_arcsec=radius_arcsec,
                       min_radius_arcsec=min_radius_arcsec, how=how, unique=False),
        columns=(left_columns, right_columns),
        naming=checked(Naming, suffixes=suffixes, method=suffix_method),
        name=output_catalog_name,
        id_column=id_column,
        scratch=None if scratch is None else expanded(scratch),
        cluster=checked(ClusterPolicy, workers=workers),
    )


def _place(catalog: Any, side: str) -> str:
    """Where a catalogue lies, also for those who work in another folder."""
    if not isinstance(catalog, str | Path):
        raise refuse(Code.CATALOG_INVALID, side, found=f"a {type(catalog).__name__}",
                     expected="the folder or the address of a HATS catalogue",
                     remedy="write it, as with `write_catalog` of LSDB, and give its folder")
    is_remote = "://" in str(catalog)
    return str(catalog) if is_remote else str(expanded(catalog).absolute())


def magnitudes(
    matches: Any,
    *,
    release: str = "dp1",
    flux: str | Sequence[str] = "cModel",
    bands: Sequence[str] = BANDS,
    values: str | Sequence[str] = "magnitude",
    dust_map: str | None = None,
    dust_maps: str | Path | None = None,
    coefficients: str | Mapping[str, float] = "desc_dc2",
    scale: float = 1.0,
    zero_point: float = NJY_ZERO_POINT,
    **policy: Any,
) -> Any:
    """Append AB magnitudes, dereddened if there is a dust map.

    Parameters
    ----------
    values : "magnitude", or a list with "flux" (dereddened, nJy) and "asinh" as well
    dust_map : "sfd", "csfd", "planck", "gnilc", "catalog" for the release's own E(B-V), or "none";
        by default "sfd" where `dust_maps` says where it lies, else "none"
    dust_maps : folder of the maps, as dustmaps lays them out; by default the one to which
        `tsm dustmaps fetch` brings them
    coefficients : "desc_dc2", "lsst_dm" or "sf11", or A / E(B-V) by band
    scale : by which the E(B-V) of the map is multiplied
    policy : any other choice of `photometry:` in a recipe, such as `flagged="keep"`,
        `not_detected="limit"` or `min_snr=5`; all of them are told in docs/reference/photometry.md

    Raises
    ------
    TsmError
        `recipe.bad-value` for a map and coefficients that do not go together; `dust.twice` for
        rows, or a release, whose fluxes are dereddened already.
    """
    named = isinstance(coefficients, str)
    dereddening = checked(
        Dereddening, map=dust_map or ("sfd" if dust_maps else "none"),
        coefficients=coefficients if named else "custom",
        values={} if named else coefficients, scale=scale, directory=str(dust_maps or ""))
    chosen = checked(PhotometryPolicy, flux=flux, bands=tuple(bands), values=values,
                     dereddening=dereddening, zero_point=zero_point, **policy)
    profile = find_release(release)
    check_dust(chosen, profile)
    batches = photometry.correct_batches(
        _batches(matches), profile, chosen, open_dust(dereddening))
    return like(pa.Table.from_batches(batches), matches)


def select(
    table: Any, *, keep: Sequence[str] = (), columns: Mapping[str, str] | None = None
) -> Any:
    """Let go of the rows of which a condition is not true, and append computed columns.

    Parameters
    ----------
    keep : conditions in the language of flag rules, such as "mag_i < 25.3"; one over a missing
        value is not true
    columns : formulas by the name of their column

    Examples
    --------
    >>> rows = pd.DataFrame({"mag_g": [22.0, 24.5, None], "mag_r": [21.0, 24.0, 20.0]})
    >>> select(rows, columns={"g_r": "mag_g - mag_r"}, keep=["g_r < 0.8"])["g_r"].tolist()
    [0.5]
    """
    policy = checked(SelectPolicy, keep=tuple(keep), columns=dict(columns or {}))
    return like(pa.Table.from_batches(selection.select_batches(_batches(table), policy)), table)


def _batches(table: Any) -> list[pa.RecordBatch]:
    """The rows in batches; a table without rows has one, and so still gains its columns."""
    rows = to_arrow(table)
    return rows.to_batches() or [pa.RecordBatch.from_pylist([], rows.schema)]


def split(table: Any, seed: int = 2026, **fractions: float) -> Any:
    """Append column `split`: `split(table, train=0.8, test=0.2)`.

    The part of a galaxy follows from its id and the seed alone.
    """
    chosen = {"fractions": fractions} if fractions else {}
    policy = checked(SplitPolicy, seed=seed, **chosen)
    return like(splitting.assign_split(to_arrow(table), policy), table)


def write(table: Any, path: str | Path) -> None:
    """Write a table to `path`: `.parquet`, or `.hdf5` in the layout that RAIL reads.

    Raises
    ------
    TsmError
        `file.format` for any other suffix, `output.exists` when something is there already.
    """
    from pz_tsm_core.export.rail import rail_names, write_rail

    target = Path(path)
    if target.exists():
        raise refuse(Code.OUTPUT_EXISTS, str(path), found="a file of that name",
                     expected="a new name", remedy="remove the file or choose another name")
    rows = described(to_arrow(table))
    aside = target.with_name(f".{target.name}.partial")
    if target.suffix == ".parquet":
        pq.write_table(rows, aside, **PARQUET)
    elif target.suffix == ".hdf5":
        names = rail_names(rows.column_names)
        write_rail({"": aside}, rows.to_batches(), rows.schema, names=names)
    else:
        raise refuse(Code.FILE_FORMAT, str(path), found=f"the suffix `{target.suffix}`",
                     expected="`.parquet` or `.hdf5`", remedy="name the file accordingly")
    aside.replace(target)
