"""Raw rows to clean tables: text, language, token counts, response times, conversation metrics.

Every function is pure: it maps the Arrow tables of one day to one table, without Dagster and without I/O.
"""
