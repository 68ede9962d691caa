"""Configurations of the existing pipeline, "Training Set Maker": read and carried out.

What is kept to the letter of `linea-it/pzserver_training_set_maker`, and what is not:
docs/adr/020.
"""
