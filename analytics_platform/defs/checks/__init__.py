"""Asset checks that need no second store: declarations of tables, counts, drift of labels."""
