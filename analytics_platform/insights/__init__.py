"""What conversations were about, wanted and felt like: texts to vectors, labels, confidence and reasons.

Belongs here: encoders, the taxonomy, the tiers and their evaluation; no Dagster and no storage. Does not belong here:
cleaning of texts (``transform``), and numbers per day or user (``analytics``).
"""
