"""Flows: the order of the work and nothing else, and the commands that start them."""
