"""The only room that parses table files which somebody else wrote."""

from pz_tsm_core.readers.facts import ColumnFacts, TableFacts
from pz_tsm_core.readers.stream import TableStream
from pz_tsm_core.readers.table import FORMATS, describe_table, open_table, read_table

__all__ = ["FORMATS", "ColumnFacts", "TableFacts", "TableStream", "describe_table", "open_table",
           "read_table"]
