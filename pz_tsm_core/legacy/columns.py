"""A native table as the older pipeline holds it: renamed, with the columns that it converts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, Problems, nearest
from pz_tsm_core.legacy.calls import number_column
from pz_tsm_core.legacy.text import SCORES, as_text, cleaned, is_text, numbers_in, scored
from pz_tsm_core.legacy.translate import Columns
from pz_tsm_core.legacy.values import Missing, Number, Text, Unknown, Value, truth_column
from pz_tsm_core.rules.tree import Column

#: Columns that every table has after conversion; without values where it had none.
NUMBERS = ("ra", "dec", "z", "z_flag", "z_err")
TEXTS = ("id", "instrument_type", "survey")
#: Converted where they are there.
MORE_NUMBERS = ("z_flag_homogenized",)
MORE_TEXTS = ("type", "object_type", "instrument_type_homogenized", "object_type_homogenized")
#: A configuration says so that a column is homogenized already: `z_flag: z_flag_homogenized`.
GIVEN = {name: f"{name}_homogenized" for name in ("z_flag", "instrument_type", "object_type")}

#: How many odd values a refusal names.
SHOWN = 5


@dataclass(frozen=True)
class Converted:
    """A table after conversion.

    Parameters
    ----------
    table : renamed columns, the standard ones converted; rows as they were
    unread : flags of surveys with letters that are neither numbers nor known letters -> rows
    """

    table: pa.Table
    unread: dict[str, int]


def convert(table: pa.Table, columns: Mapping[str, str | None]) -> Converted:
    """Rename and convert a native table.

    Parameters
    ----------
    columns : standard name -> native name, as in a configuration; None where there is none

    Raises
    ------
    TsmError
        with every column that is missing, doubled, or of a type that cannot be converted.
    """
    _check(table, columns)
    arrays = _renamed(table, columns)
    problems = Problems()
    for name in (*TEXTS, *MORE_TEXTS):
        if name in arrays or name in TEXTS:
            _convert_text(arrays, name, len(table), problems)
    unread = _convert_flags(arrays, problems) if "z_flag" in arrays else {}
    for name in (*NUMBERS, *MORE_NUMBERS):
        if name in arrays or name in NUMBERS:
            _convert_number(arrays, name, len(table), problems)
    problems.raise_if_any()
    return Converted(pa.table(arrays), unread)


def _check(table: pa.Table, columns: Mapping[str, str | None]) -> None:
    problems, names = Problems(), table.column_names
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(Code.TABLE_DUPLICATE_COLUMN, f"column {name}",
                     found="two columns of that name", expected="one",
                     remedy="rename or remove one of them")
    for standard, native in columns.items():
        if native and native not in names:
            problems.add(Code.TABLE_MISSING_COLUMN, f"columns.{standard}",
                         found=f"no column `{native}`", expected="a column of the table",
                         remedy=nearest(native, names))
    problems.raise_if_any()


def _renamed(
    table: pa.Table, columns: Mapping[str, str | None]
) -> dict[str, pa.ChunkedArray]:
    """Columns by their new names; one whose name another takes is kept as `name__orig`."""
    mapped = {standard: native for standard, native in columns.items() if native}
    arrays: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        if mapped.get(name, name) != name:
            arrays[_free(f"{name}__orig", {*table.column_names, *arrays})] = table[name]
        elif name not in mapped.values():
            arrays[name] = table[name]
    arrays.update({standard: table[native] for standard, native in mapped.items()})
    for name, values in arrays.items():
        if pa.types.is_decimal(values.type):
            arrays[name] = values.cast(pa.float64())
    for standard, given in GIVEN.items():
        if (mapped.get(standard) or "").strip().lower() == given:
            arrays[given] = arrays[standard]
    return arrays


def _free(name: str, taken: set[str]) -> str:
    names = (name, *(f"{name}{n}" for n in range(1, len(taken) + 1)))
    return next(each for each in names if each not in taken)


def _convert_text(
    arrays: dict[str, pa.ChunkedArray], name: str, rows: int, problems: Problems
) -> None:
    values = arrays.get(name, pa.chunked_array([pa.nulls(rows, pa.string())]))
    if name == "type" and not is_text(values.type):
        arrays[_number_name(name)] = values
    try:
        values = cleaned(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        problems.add(Code.TABLE_COLUMN_TYPE, f"column {name}", found=f"values of {values.type}",
                     expected="texts", remedy="convert the column, or map another one")
        values = pa.chunked_array([pa.nulls(rows, pa.string())])
    if name == "survey":
        values = pc.utf8_upper(values)
    elif name not in ("id", "instrument_type"):
        values = pc.utf8_lower(values)
    arrays[name] = values


def _convert_flags(arrays: dict[str, pa.ChunkedArray], problems: Problems) -> dict[str, int]:
    """Numbers for flags that are texts, some surveys' letters included."""
    flags = arrays["z_flag"]
    if not is_text(flags.type):
        return {}
    numbers = scored(flags, arrays["survey"])
    odd = as_text(flags).filter(pc.and_(pc.is_null(numbers), pc.is_valid(flags)))
    arrays["z_flag"] = numbers
    unread = {each["values"]: each["counts"] for each in pc.value_counts(odd).to_pylist()}
    lettered = pc.any(pc.is_in(arrays["survey"], pa.array(list(SCORES)))).as_py()
    if unread and not lettered:
        problems.add(Code.TABLE_COLUMN_TYPE, "column z_flag",
                     found=f"{len(odd)} flags that are no numbers, such as "
                           f"{list(unread)[:SHOWN]}",
                     expected="numbers; letters only of " + " and ".join(SCORES),
                     remedy="replace them by numbers, or map another column to z_flag")
    return unread


def _convert_number(
    arrays: dict[str, pa.ChunkedArray], name: str, rows: int, problems: Problems
) -> None:
    values = arrays.get(name, pa.chunked_array([pa.nulls(rows, pa.float64())]))
    try:
        numbers = numbers_in(values) if is_text(values.type) else pc.cast(
            values, pa.float64(), safe=False)
    except pa.ArrowNotImplementedError:
        problems.add(Code.TABLE_COLUMN_TYPE, f"column {name}", found=f"values of {values.type}",
                     expected="numbers", remedy="convert the column, or map another one")
        return
    if numbers.null_count > values.null_count:
        odd = values.filter(pc.and_(pc.is_null(numbers), pc.is_valid(values)))
        problems.add(Code.TABLE_COLUMN_TYPE, f"column {name}",
                     found=f"{len(odd)} values that are no numbers, such as "
                           f"{odd.slice(0, SHOWN).to_pylist()}",
                     expected="numbers", remedy="convert the column, or map another one")
    arrays[name] = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _number_name(name: str) -> str:
    return number_column(Column(1, name)).name


def narrow(table: pa.Table, names: frozenset[str]) -> pa.Table:
    """The columns of these names alone, with what they were as numbers before."""
    wanted = names | {_number_name(name) for name in names}
    return table.select([name for name in table.column_names if name in wanted])


def with_numbers(table: pa.Table, wanted: frozenset[str]) -> pa.Table:
    """The table with the numbers that stand in its text columns, where rules ask for them."""
    for name in table.column_names:
        if _number_name(name) in wanted - set(table.column_names):
            table = table.append_column(_number_name(name), numbers_in(table[name]))
    return table


def before_a_table(column: Column) -> Value:
    """What a name stands for as long as no table is known."""
    if column.name in (*NUMBERS, *MORE_NUMBERS):
        return Number(column, Missing.ARROW)
    known_text = column.name in (*TEXTS, *MORE_TEXTS) and column.name != "type"
    return Text(column) if known_text else Unknown(column)


def of_a_table(schema: pa.Schema, *, nullable: bool) -> Columns:
    """What names stand for in a converted table.

    Parameters
    ----------
    nullable : whether the older pipeline would hold native columns in pandas' nullable types, as
        it does those of CSV, FITS and HDF5 files
    """
    missing = Missing.NULLABLE if nullable else Missing.NAN

    def value(column: Column) -> Value:
        if column.name not in schema.names:
            return Unknown(column)
        type_ = schema.field(column.name).type
        if column.name in (*NUMBERS, *MORE_NUMBERS):
            return Number(column, Missing.ARROW)
        if column.name == "type" and _number_name("type") in schema.names:
            return Text(column, number=Number(number_column(column), missing))
        if is_text(type_):
            return Text(column)
        if pa.types.is_boolean(type_):
            return truth_column(column, missing)
        whole, single = pa.types.is_integer(type_), pa.types.is_float32(type_)
        known = whole or pa.types.is_floating(type_)
        return Number(column, missing, whole=whole, single=single) if known else Unknown(column)

    return value
