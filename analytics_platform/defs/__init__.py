"""The Dagster layer: partitions, resources, checks, jobs, and one module of assets per layer of the graph.

It holds no computation of tables and no storage; assets call ``transform``, ``insights``, ``analytics`` and
``storage``.
"""

import warnings

import dagster as dg

# Single-run backfills are what this platform is built on; that Dagster calls them beta is known and pinned against.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
