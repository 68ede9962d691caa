"""The one way to reach out: guarded, limited, polite, resumed."""

from pz_tsm_core.remote.deadline import Deadline
from pz_tsm_core.remote.download import Received, digest_of
from pz_tsm_core.remote.errors import plainly
from pz_tsm_core.remote.guard import shown
from pz_tsm_core.remote.reach import Moved, Reach
from pz_tsm_core.remote.state import Stated

__all__ = ["Deadline", "Moved", "Reach", "Received", "Stated", "digest_of", "plainly",
           "shown"]
