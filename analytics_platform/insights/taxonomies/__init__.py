"""Which labels there are: the taxonomy file, its checks, and its rules."""
