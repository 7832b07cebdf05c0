"""What the data is: one declaration per table, and what derives from it without any I/O.

Belongs here: columns, types, nullability, keys, documentation, and the checks that follow from them.
Does not belong here: how a table is computed (``transform``, ``insights``, ``analytics``), where it
is kept (``storage``), or how Dagster shows it (``defs``).
"""

from analytics_platform.model.table import Column, Table
from analytics_platform.model.validation import Violation, find_violations

__all__ = ["Column", "Table", "Violation", "find_violations"]
