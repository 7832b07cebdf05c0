from __future__ import annotations

import base64
import datetime as dt
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from analytics_platform.analytics.reports import charts

DATE = dt.date(2006, 6, 8)
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def fills(svg: str) -> list[str]:
    return [element.get("fill", "") for element in ElementTree.fromstring(svg).iter(f"{SVG}path")]


@pytest.fixture(scope="module")
def drawn() -> dict[str, charts.Chart]:
    topics = [{"label": f"topic_{n}", "count": 20 - n} for n in range(8)] + [{"label": "other", "count": 3}]
    return {
        "trend": charts.conversations_per_day({DATE - dt.timedelta(days=n): 9 - n for n in (0, 1, 3)}, DATE, 7.0),
        "hours": charts.hours_of_day([0, 2] * 12),
        "topics": charts.topics_of_day(topics),
        "largest": charts.largest_topics([{"label": f"topic {n}", "count": 40 - n} for n in range(20)]),
        "sentiment": charts.sentiment_distribution(pa.chunked_array([[-0.9, -0.3, 0.0, 0.2, 0.9, None]])),
    }


@pytest.mark.parametrize("name", ["trend", "hours", "topics", "largest", "sentiment"])
def test_a_chart_is_the_same_svg_twice_without_ids_that_could_clash(drawn: dict[str, charts.Chart], name: str) -> None:
    svg = charts.to_svg(drawn[name])
    assert svg == charts.to_svg(drawn[name])
    assert ' id="' not in svg
    assert "http" not in svg.replace("http://www.w3.org/", "")


def test_the_day_reported_stands_out_and_days_without_data_stay_a_gap(drawn: dict[str, charts.Chart]) -> None:
    svg = charts.to_svg(drawn["trend"])
    assert fills(svg).count(charts.ACCENT) == 1
    assert fills(svg).count(charts.MUTED) == 2
    assert [text for text in texts(svg) if "Jun" in text] == ["5 Jun", "6 Jun", "7 Jun", "8 Jun"]


def test_only_the_largest_topics_are_drawn_and_none_in_grey(drawn: dict[str, charts.Chart]) -> None:
    svg = charts.to_svg(drawn["largest"])
    assert [text for text in texts(svg) if text.startswith("topic")] == [f"topic {n}: {40 - n}" for n in range(12)]
    assert charts.MUTED not in fills(svg)


def test_every_third_day_is_labelled_in_two_weeks_and_always_the_last() -> None:
    chart = charts.conversations_per_day({DATE - dt.timedelta(days=n): 5 for n in range(15)}, DATE, None)
    assert [text for text in texts(charts.to_svg(chart)) if text[0].isdigit() and " " in text] == [
        "27 May",
        "30 May",
        "2 Jun",
        "5 Jun",
        "8 Jun",
    ]


def test_topics_beyond_the_first_are_added_up_and_those_without_come_last(drawn: dict[str, charts.Chart]) -> None:
    shown = texts(charts.to_svg(drawn["topics"]))
    assert shown[0] == "topic 0: 20"
    assert shown[-2:] == ["2 further topics: 27", "no known topic: 3"]
    assert len(shown) == charts.TOPICS_SHOWN + 2


def test_negative_neutral_and_positive_have_their_colours(drawn: dict[str, charts.Chart]) -> None:
    found = fills(charts.to_svg(drawn["sentiment"]))
    assert [found.count(colour) for colour in (charts.WARM, charts.MUTED, charts.ACCENT)] == [3, 2, 3]


def test_axes_name_what_they_count(drawn: dict[str, charts.Chart]) -> None:
    assert "conversations" in texts(charts.to_svg(drawn["trend"]))
    assert {"conversations", "hour of the day (UTC)"} <= set(texts(charts.to_svg(drawn["hours"])))


@pytest.mark.parametrize(("counts", "lowest_top"), [([0] * 24, 0), ([1] + [0] * 23, 1), ([123456] * 24, 100_000)])
def test_the_count_axis_has_whole_numbers_up_to_the_tallest_bar(counts: list[int], lowest_top: int) -> None:
    """Small counts had an axis of 0.2, 0.4 and so on."""
    labels = texts(charts.to_svg(charts.hours_of_day(counts)))
    ends_of_hours = ["0", "6", "12", "18", "24"]
    assert labels[: len(ends_of_hours)] == ends_of_hours
    ticks = [text.replace(",", "") for text in labels[len(ends_of_hours) :] if text[0].isdigit()]
    heights = [int(tick) for tick in ticks]  # raises on a fraction
    assert heights == sorted(set(heights))
    assert heights[0] == 0
    assert heights[-1] >= lowest_top


def test_two_topics_of_one_name_and_number_are_two_bars() -> None:
    svg = charts.to_svg(charts.largest_topics([{"label": 'My "topic"', "count": 5}] * 2))
    assert texts(svg) == ['My "topic": 5'] * 2
    assert fills(svg).count(charts.ACCENT) == 2


def test_hostile_labels_are_escaped() -> None:
    svg = charts.to_svg(charts.topics_of_day([{"label": "<script>alert(1)</script>&", "count": 1}]))
    assert "<script" not in svg
    assert texts(svg) == ["<script>alert(1)</script>&: 1"]


def test_a_metadata_chart_is_a_small_image_in_markdown(drawn: dict[str, charts.Chart]) -> None:
    svg = charts.to_svg(drawn["trend"])
    markdown = charts.metadata_chart("Per [day]", svg)
    head, _, encoded = markdown.partition("base64,")
    assert head == "**Per day**\n\n![Per day](data:image/svg+xml;"
    shown = base64.b64decode(encoded.removesuffix(")")).decode()
    assert shown.replace(' style="background:#fff"', "") == svg
    assert len(markdown) < 20_000
