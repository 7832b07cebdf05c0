"""Dagster's event history: on SQLite or PostgreSQL, with data versions of partitions, and without old runs."""
