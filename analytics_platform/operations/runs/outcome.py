"""The summary of a run: what it computed, what failed, and what it left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from analytics_platform.operations.runs.unknown_outcomes import UnknownOutcomes
from analytics_platform.sources.row_rules.row_summary import RowSummary


@dataclass
class TableOutcome:
    """Counts of one asset in a run: partitions, reused partitions, rows, and bytes."""

    asset: str
    group: str
    partitions: int = 0
    reused: int = 0
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class PartOutcome:
    """One partition of an asset after a run."""

    rows: int
    bytes: int
    reused: bool


@dataclass
class Outcome:
    """The result of a call of ``run.materialize``.

    Attributes:
        tables: One entry per materialized asset.
        failures: One line per failed step or check, naming it.
        warnings: One line per check that warns, naming the check and the days of its run; a warning fails no run.
        checks_passed: Number of passed asset checks.
        checks_without_data: Number of asset checks that had nothing to compare, such as labels without earlier days.
        source: What became of all rows of the source, of whatever day; None if the run does not read the source.
        quarantined: Number of quarantined source rows over all requested days, also of days not computed in this call,
            and of the quarantined rows that belong to no day.
        is_quarantine_current: Whether the selection of the run includes the tables of quarantined rows.
        failed_conversations: Number of conversations left out because their computation failed, over the same days.
        unknown_outcomes: Stated outcomes without a known meaning, on the days whose ``conversations`` were
            materialized.
        runs: Ids of the Dagster runs.
        seconds: Wall time in seconds.
        parts: The partitions summed up in ``tables``, by asset and partition.
    """

    tables: dict[str, TableOutcome] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checks_passed: int = 0
    checks_without_data: int = 0
    source: RowSummary | None = None
    quarantined: int = 0
    is_quarantine_current: bool = True
    failed_conversations: int = 0
    unknown_outcomes: UnknownOutcomes = field(default_factory=UnknownOutcomes)
    runs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    parts: dict[str, dict[str | None, PartOutcome]] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dictionary for JSON."""
        fields = {name: value for name, value in asdict(self).items() if name != "parts"}
        return {**fields, "tables": [asdict(table) for table in self.tables.values()]}
