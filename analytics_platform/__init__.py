"""Conversation analytics as one Dagster lineage graph."""
