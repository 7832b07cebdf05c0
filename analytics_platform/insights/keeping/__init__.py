"""Fitted classifiers kept in files from one process to the next."""
