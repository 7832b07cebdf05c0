"""What the checks of stored tables say."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.defs.checks.declarations import declaration_check, rows_add_up
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.validated import Validated
from analytics_platform_tests.unit.defs.test_tables import DAYS, NUMBERS, numbers, totals


def run(check: dg.AssetChecksDefinition, lake: Lake, validated: Validated) -> tuple[bool, dg.AssetCheckEvaluation]:
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(key.asset_key) for key in check.check_keys],
        asset_checks=[check],
        jobs=[dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())],
        resources={"stores": lambda _name: lake, "validated": validated},
    )
    ends = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[1]}
    result = definitions.resolve_job_def("checks").execute_in_process(tags=ends, raise_on_error=False)
    [evaluation] = result.get_asset_check_evaluations()
    return result.success, evaluation


@pytest.mark.parametrize("check", [declaration_check(numbers), declaration_check(totals), rows_add_up])
def test_a_check_without_partitions_says_so_and_stops_nothing(check, tmp_path):
    """It said "passed" in green, as if it had proved something."""
    success, evaluation = run(check, Lake.open(str(tmp_path)), Validated())
    assert success
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.description == "Nothing was compared: none of the selected partitions is stored."


@pytest.mark.parametrize("damaged", [DAYS[0], DAYS[1]], ids=["written by this process", "written before"])
def test_a_file_damaged_after_it_was_validated_fails_the_check(tmp_path, damaged):
    """The check compares checksums of the files that its process wrote, and reads all others."""
    lake, validated = Lake.open(str(tmp_path)), Validated()
    Lake.open(str(tmp_path)).write("numbers", DAYS[1], NUMBERS.conform(pa.table({"n": [2]})), "")
    written = lake.write("numbers", DAYS[0], NUMBERS.conform(pa.table({"n": [1]})), "")
    validated.add("numbers", written, "an earlier run")
    assert run(declaration_check(numbers), lake, validated)[1].passed
    path = Path(lake.path("numbers", damaged))
    content = bytearray(path.read_bytes())
    content[6] ^= 1
    path.write_bytes(content)
    _, evaluation = run(declaration_check(numbers), lake, validated)
    assert not evaluation.passed
    assert damaged in str(evaluation.metadata["problems"].value)
