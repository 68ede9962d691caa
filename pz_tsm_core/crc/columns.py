"""Which columns a product has, in which order."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from pz_tsm_core.crc.prepare import BASE
from pz_tsm_core.crc.settings import Settings
from pz_tsm_core.legacy import Output

#: Before what the rule file and the configuration add, and after it.
_FIRST = ("CRD_ID", *BASE, "source", "tie_result", "is_in_DP1_fields", "is_in_rubin_footprint",
          "compared_to")
_LAST = ("group_id",)
#: Columns that are told under the names of the service, as far as the product has them.
_ASSOCIATED = ("ra", "dec", "z", "z_err", "survey")


def product_columns(rows: pa.Table, settings: Settings) -> list[str]:
    """Names of the columns of a product, in the order of the existing pipeline."""
    extra = [column.name for column in settings.extra]
    standard = {*_FIRST, *_LAST, *(output.column for output in Output), *settings.own_priority,
                *extra}
    expressions = [name for name in rows.column_names if name not in standard]
    wanted = (*_FIRST, *_homogenized(settings), *settings.own_priority, *expressions, *extra,
              *_LAST)
    return [name for name in dict.fromkeys(wanted) if name in rows.column_names]


def _homogenized(settings: Settings) -> list[str]:
    """Homogenized columns that are always shown, or decided something."""
    policy = {Output.Z_FLAG: settings.homogenized.z_flag_homogenized,
              Output.INSTRUMENT_TYPE: settings.homogenized.instrument_type_homogenized,
              Output.OBJECT_TYPE: settings.homogenized.object_type_homogenized}
    return [output.column for output, shown in policy.items()
            if shown == "always" or (shown == "auto" and settings.uses(output))]


def without_empty(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """The table without columns that have no value, and their names."""
    empty = [name for name in table.column_names if table[name].null_count == len(table)]
    return table.drop_columns(empty), empty


def associated(columns: Collection[str]) -> dict[str, str]:
    """The service's name of each column that it knows -> its name in the product."""
    named = {name: name for name in _ASSOCIATED if name in columns}
    for name, choices in (("id", ("CRD_ID", "id")), ("z_flag", ("z_flag_homogenized", "z_flag"))):
        if chosen := [choice for choice in choices if choice in columns][:1]:
            named[name] = chosen[0]
    return named
