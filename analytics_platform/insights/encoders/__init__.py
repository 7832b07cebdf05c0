"""Encoders of texts to vectors and features: static word vectors, a small transformer, n-grams, valence."""
