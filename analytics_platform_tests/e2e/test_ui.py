"""The Dagster UI over a finished demo, seen through a headless browser; screenshots are kept."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on PATH; install it to run this"),
]

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / ".screenshots"))
READY_SECONDS = 240
PATIENCE_MILLISECONDS = 90_000
DAY = "2006-06-01"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def url(demo, start) -> Iterator[str]:
    """The running UI over the demo's home."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = start(demo[0], "dev", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/server_info", timeout=2):
            return address
        time.sleep(0.5)
    pytest.fail("the UI did not get ready")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1150})
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        yield page
        browser.close()


def test_the_lineage_shows_every_group_with_its_assets(url, page):
    page.goto(f"{url}/assets/conversation_insights?view=lineage&lineageScope=neighbors&lineageDepth=5")
    graph = page.locator("svg foreignObject")
    for group in ("raw", "clean", "insights", "analytics", "operational", "marts", "reports"):
        expect(graph.filter(has_text=re.compile(f"^{group}$")).first).to_be_visible()
    for asset in ("raw_messages", "message_insights", "daily_metrics", "fct_conversation", "daily_report"):
        expect(graph.filter(has_text=asset).first).to_be_visible()
    settle(page)
    page.screenshot(path=SCREENSHOTS / "lineage.png")


def test_a_partition_shows_its_row_count(url, page):
    page.goto(f"{url}/assets/messages?view=partitions&partition={DAY}")
    row = page.get_by_role("row").filter(has_text="dagster/partition_row_count")
    expect(row).to_contain_text("1012")
    expect(page.get_by_text("Materialized (49)")).to_be_visible()
    settle(page)
    page.screenshot(path=SCREENSHOTS / "partition.png")


def test_the_report_shows_its_chart(url, page):
    page.goto(f"{url}/assets/daily_report?view=partitions&partition={DAY}")
    page.get_by_text("Show Markdown").first.click()
    chart = page.locator("img[src^='data:image/svg+xml']")
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.complete && image.naturalWidth") > 100
    page.screenshot(path=SCREENSHOTS / "chart.png")


def test_a_blocking_check_has_passed(url, page):
    page.goto(f"{url}/assets/raw_messages?view=checks&checkDetail=rows_add_up")
    expect(page.get_by_text("This is a blocking asset check")).to_be_visible()
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    settle(page)
    page.screenshot(path=SCREENSHOTS / "check.png")


def settle(page: Page) -> None:
    """Wait until spinners and transitions are over, for the sake of the screenshot alone."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)
