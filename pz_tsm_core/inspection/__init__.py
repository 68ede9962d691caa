"""What a table, a catalogue, an artifact or a recipe holds, in a few lines."""

from pz_tsm_core.inspection.inspect import Inspection, Wish, inspect
from pz_tsm_core.inspection.summary import ColumnSummary, TableSummary

__all__ = ["ColumnSummary", "Inspection", "TableSummary", "Wish", "inspect"]
