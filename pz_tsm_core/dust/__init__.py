"""The Milky Way's dust: maps of its reddening, and what each band loses to it."""

from pz_tsm_core.dust.coefficients import Coefficients, get_coefficients
from pz_tsm_core.dust.sfd import SfdMap

__all__ = ["Coefficients", "SfdMap", "get_coefficients"]
