"""Sources of conversations: they read rows, validate them, and split them by UTC day.

Sources read no settings; callers pass every setting in.
"""
