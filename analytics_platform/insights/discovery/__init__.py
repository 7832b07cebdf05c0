"""Topics that are found in texts without being told: clustering, ids that stay, names."""
