"""The room that publishes: content-addressed artifacts, whole or not there at all."""

from pz_tsm_core.store.digest import TableDigest, table_digest
from pz_tsm_core.store.draft import Draft
from pz_tsm_core.store.store import Store, default_location, open_store
from pz_tsm_core.store.tables import PARQUET

__all__ = [
    "PARQUET", "Draft", "Store", "TableDigest", "default_location", "open_store", "table_digest",
]
