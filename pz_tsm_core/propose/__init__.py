"""Recipes for tables of somebody else: what names, units, UCDs and values tell, written down."""

from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.propose.proposal import Proposal, columns_of_product, propose_recipe

__all__ = ["Finding", "Proposal", "columns_of_product", "propose_recipe"]
