"""What assets and sensors work with: the platform's stores and source, the engine, the LLM tier, Dagster's instance."""
