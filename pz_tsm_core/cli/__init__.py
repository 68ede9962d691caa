"""The `tsm` command; commands of the application come from the entry points `pz_tsm.commands`."""

from pz_tsm_core.cli.app import called
from pz_tsm_core.cli.entry import main, told_plainly

__all__ = ["called", "main", "told_plainly"]
