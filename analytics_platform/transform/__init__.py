"""Raw rows to clean tables: text, language, token counts, response times, conversation metrics.

Belongs here: pure functions from the Arrow tables of one day to a table of ``model.clean`` or ``model.raw``.
Does not belong here: reading sources (``sources``), labels (``insights``), sums over conversations (``analytics``).
"""
