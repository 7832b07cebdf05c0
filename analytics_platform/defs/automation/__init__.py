"""Sensors and schedules: changes at the source, retries, housekeeping, alerts."""
