"""Whether MongoDB and the warehouse hold what the lake gives, and the repair of partitions that do not."""
