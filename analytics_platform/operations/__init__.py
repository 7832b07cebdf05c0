"""The work of the commands, without printing: runs, retries, backups, status, search, explanation, reveal, training."""
