"""The DuckDB warehouse: the published file, the dbt build that makes it, and its facts by day."""
