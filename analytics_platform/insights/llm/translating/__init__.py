"""Translation of messages by an LLM: which texts are sent, the form of answers, quality, and the translator."""
