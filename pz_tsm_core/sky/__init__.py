"""The sky in partitions: the only room that knows LSDB and Dask, and that writes HATS.

A match, from the ground up: `cover` (cells a disc may touch), `objects` (files of a catalogue),
`search` (one file), `pairs` (the whole sky), then `neighbors` and `match` (the two stages of a
recipe), `nearest` (tables in memory), `crossmatched` with `matched_*` (an `lsdb.Catalog`).
`offsets` and `chance` measure; `lsdb_engine` is the second opinion; `cluster` is where it runs.
"""
