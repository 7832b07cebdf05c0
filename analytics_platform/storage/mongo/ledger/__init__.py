"""The ledger: the collection that records which partitions MongoDB holds."""
