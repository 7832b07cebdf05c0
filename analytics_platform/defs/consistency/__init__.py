"""Comparison of MongoDB and the warehouse with the lake, and repair of the partitions that disagree."""
