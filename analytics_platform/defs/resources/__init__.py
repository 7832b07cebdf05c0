"""Resources of assets and sensors: the platform's stores and source, the engine, the LLM tier, Dagster's instance."""
