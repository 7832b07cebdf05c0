"""The insight engine: texts to vectors, labels (topic, intent, sentiment, urgency, resolution), confidence and reasons.

The package uses no Dagster and no storage.
"""
