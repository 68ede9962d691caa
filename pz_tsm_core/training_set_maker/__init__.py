"""Configurations of the existing pipeline, "Training Set Maker": read and carried out.

What is kept to the letter of `linea-it/pzserver_training_set_maker`, and what is not:
docs/adr/020.
"""

from pz_tsm_core.training_set_maker.make import Made, make
from pz_tsm_core.training_set_maker.plan import Plan, load_plan, plan_of
from pz_tsm_core.training_set_maker.run import Done, run

__all__ = ["Done", "Made", "Plan", "load_plan", "make", "plan_of", "run"]
