"""The work of a run on one table: which partitions are computed together, by which process, and how each is stored."""
