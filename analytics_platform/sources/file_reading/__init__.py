"""The source that reads files: finds them, chooses how to read each, and splits their rows by day."""
