"""Citations: one BibTeX file of all works, and the credits of what a result is made of."""

from pz_tsm_core.citations.bibliography import bibtex, cite
from pz_tsm_core.citations.credit import as_bibtex, as_text

__all__ = ["as_bibtex", "as_text", "bibtex", "cite"]
