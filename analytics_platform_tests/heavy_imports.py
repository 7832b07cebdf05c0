"""Libraries that take long to import."""

STALE_ONLY = frozenset(
    {
        "altair",
        "dagster",
        "dagster_dbt",
        "dbt",
        "distributed",
        "onnxruntime",
        "openai",
        "scipy.stats",
        "sklearn",
        "sqlalchemy",
        "torch",
    }
)
"""Those that a command without a stale day does without."""
