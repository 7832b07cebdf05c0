"""Texts to vectors and features: static word vectors, the small transformer, n-grams, valence."""
