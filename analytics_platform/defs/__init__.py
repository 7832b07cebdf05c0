"""The Dagster layer: partitions, resources, checks, jobs, and one module of assets per layer of the graph.

It holds no computation of tables and no storage; assets call ``transform``, ``insights``, ``analytics`` and
``storage``.
"""

import warnings

import dagster as dg

# The platform relies on single-run backfills. Dagster calls them beta, so the version of Dagster is pinned.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
