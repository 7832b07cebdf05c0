"""Discovery of topics in texts: clustering without a given number, ids that stay, names."""
