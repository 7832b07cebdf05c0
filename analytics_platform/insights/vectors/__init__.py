"""Texts to vectors of meaning, in any language."""
