"""Configurations of the existing pipeline, "Combine Redshift Catalogs": read and carried out.

What is kept to the letter of `linea-it/pzserver_combine_redshift_dedup`, and what is not:
docs/adr/017.
"""

from pz_tsm_core.crc.combine import Combined, combine
from pz_tsm_core.crc.plan import Plan, load_plan, plan_of
from pz_tsm_core.crc.run import Done, run

__all__ = ["Combined", "Done", "Plan", "combine", "load_plan", "plan_of", "run"]
