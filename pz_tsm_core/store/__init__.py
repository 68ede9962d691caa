"""The room that publishes: content-addressed artifacts, whole or not there at all."""

from pz_tsm_core.store.collect import Collected
from pz_tsm_core.store.digest import TableDigest, table_digest
from pz_tsm_core.store.draft import Draft
from pz_tsm_core.store.fetches import FetchRecords
from pz_tsm_core.store.opening import as_store, default_location, open_store
from pz_tsm_core.store.products import Products
from pz_tsm_core.store.records import space_of
from pz_tsm_core.store.store import Store
from pz_tsm_core.store.tables import PARQUET
from pz_tsm_core.store.verify import Verified

__all__ = [
    "PARQUET", "Collected", "Draft", "FetchRecords", "Products", "Store", "TableDigest", "Verified",
    "as_store", "default_location", "open_store", "space_of", "table_digest",
]
