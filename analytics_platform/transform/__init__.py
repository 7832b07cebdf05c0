"""Raw rows to clean tables: text, language, token counts, response times, conversation metrics.

Pure functions from the Arrow tables of one day to one table; no Dagster and no I/O.
"""
