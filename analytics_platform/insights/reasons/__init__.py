"""The words that reasons quote."""
