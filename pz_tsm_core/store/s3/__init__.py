"""The store on S3: the same promises from a server that knows objects and one condition."""

from pz_tsm_core.store.s3.backend import S3Backend
from pz_tsm_core.store.s3.place import Patience, Place

__all__ = ["Patience", "Place", "S3Backend"]
