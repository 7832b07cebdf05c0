"""The check of translations over stored days: when it warns, and what it names."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from analytics_platform.defs.checks.translation_quality import translations_are_good
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS
from analytics_platform.storage.lake import Lake

DAY = "2026-01-05"
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")


@pytest.fixture
def check(tmp_path):
    """Run the check over one day of translations, given as pairs of quality and length ratio."""
    lake = Lake.open(str(tmp_path))

    def run(*rated):
        rows = [
            {
                "date": dt.date.fromisoformat(DAY), "conversation_id": "talk", "message_id": f"m{n:02}", "position": n,
                "source_language": "de", "target_language": "en", "text": "a secret", "quality": quality,
                "length_ratio": ratio, "translator": "m", "prompt_version": "p",
            }
            for n, (quality, ratio) in enumerate(rated)
        ]  # fmt: skip
        lake.write(MESSAGE_TRANSLATIONS.name, DAY, MESSAGE_TRANSLATIONS.from_rows(rows), "")
        definitions = dg.Definitions(
            assets=[dg.AssetSpec("message_translations", partitions_def=DAYS)],
            asset_checks=[translations_are_good],
            jobs=[dg.define_asset_job("quality", selection=dg.AssetSelection.all_asset_checks())],
            resources={"stores": lambda _: lake},
        )
        result = definitions.resolve_job_def("quality").execute_in_process(
            tags={RANGE_START_TAG: DAY, RANGE_END_TAG: DAY}
        )
        [evaluation] = result.get_asset_check_evaluations()
        return evaluation

    return run


GOOD = (0.9, 1.0)


def test_a_day_of_mostly_good_translations_passes(check):
    assert check(*[GOOD] * 14, *[(0.1, 1.0)] * 5, (None, 1.0)).passed


def test_many_low_ones_warn_with_figures_and_three_examples_and_no_text(check):
    found = check(*[GOOD] * 12, *[(0.1, 1.0)] * 5, (0.0, 1.0), (0.2, 1.0), (0.9, 9.0))
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    [problem] = found.metadata["problems"].value
    assert problem == (
        f"{DAY}: 8 of 20 translations (40%) are of low quality: 7 below 0.3, 1 with a length outside 0.35 to 2.8 times "
        "the original's; examples: m17 of talk, m12 of talk, m13 of talk"
    )


def test_a_few_translations_are_not_judged(check):
    found = check(*[(0.1, 1.0)] * 5)
    assert found.description.startswith("Nothing was compared")
