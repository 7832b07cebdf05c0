"""Names of discovered topics by an LLM: what is shown of a topic, the form of answers, and the namer."""
