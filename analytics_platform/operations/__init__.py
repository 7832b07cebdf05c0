"""The work of the commands, without printing: runs, retries, backups, inspection, search, explanation, training."""
