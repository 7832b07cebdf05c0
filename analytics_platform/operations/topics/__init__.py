"""The work of the commands about found topics, without printing."""
