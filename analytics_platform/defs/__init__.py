"""The Dagster layer, thin: what the graph is, and nothing of how its tables are computed or kept.

Belongs here: partitions, resources, checks, jobs, and one module of assets per layer of the graph.
"""

import warnings

import dagster as dg

# Single-run backfills are what this platform is built on; that Dagster calls them beta is known and pinned against.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
