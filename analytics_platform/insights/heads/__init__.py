"""Vectors and features to label probabilities: linear heads, prototypes, stacking, and fitting them in bounded time."""
