"""The taxonomy of labels: its file, its validation, and its rules."""
