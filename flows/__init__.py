"""Flows: the order of the work, the commands that start them, and what a service sees to.

What a service adds (requests become recipes, runs are shown, attended to and tried again) stands
here as well: all of it speaks to Prefect and to no data (docs/adr/027).
"""
