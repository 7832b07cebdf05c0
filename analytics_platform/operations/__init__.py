"""What the commands do, without printing: runs, retries, status, similar conversations, reveal, training."""
