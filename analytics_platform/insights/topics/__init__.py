"""Discovered topics over time: their epochs, their genealogy, and the topic of each conversation."""
