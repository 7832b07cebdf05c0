"""Classification heads from vectors and features to label probabilities: linear heads, prototypes, stacking."""
