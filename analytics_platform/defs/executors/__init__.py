"""Other processes that compute partitions for a run: on this machine, or on the machines of a Dask cluster."""
