"""Labels from outside the taxonomy: labelled files, corrections that hold for their conversation, answers of an LLM."""
