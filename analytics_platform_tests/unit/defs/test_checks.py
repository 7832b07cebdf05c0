"""What the checks of stored tables say when nothing is stored."""

from __future__ import annotations

import dagster as dg
import pytest

from analytics_platform.defs.checks.declarations import declaration_check, rows_add_up
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.unit.defs.test_tables import DAYS, numbers, totals


@pytest.mark.parametrize("check", [declaration_check(numbers), declaration_check(totals), rows_add_up])
def test_a_check_without_partitions_says_so_and_stops_nothing(check, tmp_path):
    """It said "passed" in green, as if it had proved something."""
    assets = [dg.AssetSpec(key.asset_key) for key in check.check_keys]
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    definitions = dg.Definitions(
        assets=assets, asset_checks=[check], jobs=[job],
        resources={"stores": lambda _name: Lake.open(str(tmp_path))},
    )  # fmt: skip
    ends = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[1]}
    result = definitions.resolve_job_def("checks").execute_in_process(tags=ends)
    [evaluation] = result.get_asset_check_evaluations()
    assert result.success
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.description == "Nothing was compared: none of the selected partitions is stored."
