"""The work of the commands about discovered topics, without printing."""
