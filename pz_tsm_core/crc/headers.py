"""Which columns of a catalogue a configuration maps, and earlier products among catalogues."""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: By these an earlier product of the existing pipeline is known.
_PRODUCT = {"CRD_ID", "ra", "dec", "z", "source"}
_MARKS = {"tie_result", "compared_to", "group_id", "z_flag_homogenized",
          "instrument_type_homogenized", "is_in_DP1_fields", "is_in_rubin_footprint"}


def is_product(names: Collection[str]) -> bool:
    """Whether columns are those of an earlier product."""
    return set(names) >= _PRODUCT and not _MARKS.isdisjoint(names)


def mapped(
    columns: Mapping[str, str | None], names: Collection[str]
) -> dict[str, str | None]:
    """The mapping; of an earlier product, whose CRD_IDs go, the id that a row came with."""
    found = dict(columns)
    if is_product(names):
        found["id"] = "id" if "id" in names else "CRD_ID"
    return found
