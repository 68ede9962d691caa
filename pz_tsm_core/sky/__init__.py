"""The only room that knows LSDB, HATS and Dask: the sky in partitions."""
