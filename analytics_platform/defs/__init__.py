"""The Dagster layer: partitions, resources, checks, jobs, and one module of assets per layer of the graph.

It holds no computation of tables and no storage; assets call ``transform``, ``insights``, ``analytics`` and
``storage``.
"""

import warnings

# The platform relies on single-run backfills. Dagster calls them beta, so the version of Dagster is pinned. Their
# warnings are named by their text, because the classes are Dagster's, and a run without a stale day imports no Dagster.
warnings.filterwarnings("ignore", message="(?s).* is currently in (beta|preview),")
