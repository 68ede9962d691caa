"""What the columns of a product are called, as LSDB and the existing pipeline call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pz_tsm_core.errors import Code, Problems

SUFFIX = "_specz"
SEPARATION = "_dist_arcsec"
IS_TRAINING = "is_training_set"


def product_names(specz: Sequence[str], objects: Sequence[str]) -> list[str]:
    """Names of all columns: of redshifts, of objects, the separation and the split.

    Every column of the redshifts gets a suffix, and loses it where no other column has its name.

    Raises
    ------
    TsmError
        `table.duplicate-column` for names that would stand twice.

    Examples
    --------
    >>> product_names(["ra", "z"], ["ra", "mag_i"])
    ['ra_specz', 'z', 'ra', 'mag_i', '_dist_arcsec', 'is_training_set']
    """
    names = [*(f"{name}{SUFFIX}" for name in specz), *objects, SEPARATION, IS_TRAINING]
    taken = set(names)
    names = [name if (short := name.removesuffix(SUFFIX)) in taken else short for name in names]
    problems = Problems()
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(Code.TABLE_DUPLICATE_COLUMN, f"column {name}",
                     found="a column of the objects of that name, and one that would get it",
                     expected="every name once", remedy="leave it out of param.selected_cols")
    problems.raise_if_any()
    return names


def associated(
    columns: Mapping[str, str | None], specz: Sequence[str], names: Sequence[str]
) -> dict[str, str]:
    """Standard name of each mapped column of the redshifts -> its name in the product."""
    called = dict(zip(specz, names, strict=False))  # those of the redshifts come first
    return {standard: called[native] for standard, native in columns.items() if native in called}
