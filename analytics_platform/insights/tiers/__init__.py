"""Tiers of the engine: documents in, labels with confidence and reasons out."""
