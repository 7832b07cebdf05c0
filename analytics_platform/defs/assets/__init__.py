"""The assets of the graph, one module for each group."""
