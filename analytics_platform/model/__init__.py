"""The data model: one declaration per table, with its columns, types, keys and documentation, and pure code over it.

Nothing in this package does I/O, computes a table or depends on Dagster.
"""

from analytics_platform.model.table import Column, Table
from analytics_platform.model.validation import Violation, find_violations

__all__ = ["Column", "Table", "Violation", "find_violations"]
