"""The only room that parses table files which somebody else wrote."""

from pz_tsm_core.readers.table import FORMATS, read_table

__all__ = ["FORMATS", "read_table"]
