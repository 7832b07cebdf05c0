"""Runs of the graph: which days are stale, the Dagster runs over them, and a summary."""
