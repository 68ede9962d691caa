"""What carrying out configurations of the existing pipelines has in common, whichever it is.

How their files are read, and what a run leaves: its folder, its log, `process.yml` and a product
that is published whole.
"""
