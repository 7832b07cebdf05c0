"""The declarations of all tables, a module per group of the graph."""
