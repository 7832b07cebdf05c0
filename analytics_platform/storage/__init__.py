"""Persistence of tables: the Parquet lake, MongoDB, the DuckDB warehouse, report pages, and the Dagster IO manager."""
