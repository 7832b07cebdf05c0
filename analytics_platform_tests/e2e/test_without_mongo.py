"""A platform without MongoDB: everything but the collections is computed, checked and repaired as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.model.tables.operational_tables import DAILY_REPORTS
from analytics_platform.storage.lake import Lake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DAYS = ("run", "--from", "2006-05-27", "--to", "2006-05-28", "--json")


def test_without_mongodb_reports_are_stored_in_the_lake_and_nothing_else_changes(analytics, tmp_path):
    """Whoever reads the warehouse and the reports alone paid for a database that nobody used."""
    home = tmp_path / "home"
    first = analytics(home, *DAYS, ANALYTICS_MONGO_URI="off").json()
    assert first["failures"] == []
    tables = {table["asset"] for table in first["tables"]}
    assert {"daily_report", "daily_report_page", "fct_conversation"} < tables
    assert not any(table.startswith("mongo") for table in tables)
    assert not (home / "mongo").exists()
    assert (home / "reports" / "daily" / "2006-05-27.html").exists()

    lake = Lake.open(str(home / "lake"))
    assert lake.keys(DAILY_REPORTS.name) == ["2006-05-27", "2006-05-28"]
    assert analytics(home, *DAYS, ANALYTICS_MONGO_URI="off").json()["tables"] == []

    report = Path(lake.path(DAILY_REPORTS.name, "2006-05-27"))
    content = report.read_bytes()
    report.unlink()
    assert analytics(home, *DAYS, ANALYTICS_MONGO_URI="off").json()["failures"] == []
    assert report.read_bytes() == content
    stored = Path(lake.path("conversations", "2006-05-27"))
    content = stored.read_bytes()
    stored.write_bytes(content[:100])
    repaired = analytics(home, "repair", ANALYTICS_MONGO_URI="off")
    assert repaired.code == 0, repaired.err
    assert stored.read_bytes() == content

    later = analytics(home, *DAYS).json()  # the embedded server, from now on
    assert later["failures"] == []
    computed = {table["asset"] for table in later["tables"] if table["reused"] < table["partitions"]}
    collections = {f"conversation_{name}" for name in ("analytics", "messages", "categories", "translations")}
    assert computed == {f"mongo/{name}" for name in collections | {"user_analytics"}} | {"daily_report"}
