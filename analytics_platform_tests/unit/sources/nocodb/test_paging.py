from __future__ import annotations

import httpx
import pytest

from analytics_platform.sources.nocodb import NocoContractError
from analytics_platform.sources.nocodb.noco_api.pages import Page, contradiction


def ids(pages):
    return [[row["Id"] for row in page] for page in pages]


def test_pages_follow_each_other_by_key(server, client):
    assert ids(client.pages("m1")) == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert [request.url.params["where"] for request in server.requests if request.url.path.endswith("records")] == [
        "@('Id',gt,0)",
        "@('Id',gt,3)",
        "@('Id',gt,6)",
    ]


def test_only_the_first_page_costs_a_count_while_nothing_changes(server, client):
    list(client.pages("m1"))
    counts = [request.url.params["where"] for request in server.requests if request.url.path.endswith("count")]
    assert counts == ["@(('Id',gt,0)~and('Id',le,3))"]


def test_a_page_after_rows_came_or_went_is_compared_with_a_count(server, client):
    pages = client.pages("m1")
    next(pages)
    server.ids = [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert ids(pages) == [[5, 6, 7], [8, 9, 10]]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([0, 4, 5], "begins with Id 0"),
        ([4, 6, 5], "do not ascend"),
        ([4, 4, 5], "do not ascend"),
        ([4, 5], "2 rows where 3 were asked for, and is not the last"),
        ([4, 5, 6, 7], "4 rows where 3"),
        (["4", 5, 6], "no whole number as Id"),
        ([True, 5, 6], "no whole number as Id"),
    ],
)
def test_a_page_that_cannot_be_right_is_asked_for_again(server, client, answers, rows, wrong):
    server.script = [lambda _: answers.page(rows, 8, isLastPage=False)]
    assert ids(client.pages("m1", after=0 if rows[0] else 3))[0] == ([1, 2, 3] if rows[0] else [4, 5, 6])
    server.script = [lambda _: answers.page(rows, 8, isLastPage=False)] * 6
    with pytest.raises(NocoContractError, match=rf"^noco\.example, table m1: .*{wrong}.*gave up after 6 attempts"):
        next(client.pages("m1", after=3 if not rows[0] else 0))


def test_a_page_of_a_higher_key_is_noticed_although_it_is_consistent(server, client, answers):
    for missing in ([lambda _: answers.page([4, 5, 6], 5)], [None, None, lambda _: answers.page([7, 8], 2)]):
        server.script = list(missing)
        assert ids(client.pages("m1")) == [[1, 2, 3], [4, 5, 6], [7, 8]]


def test_an_empty_answer_is_not_taken_for_an_empty_table(server, client, answers):
    server.script = [lambda _: answers.page([], 0)]
    assert ids(client.pages("m1")) == [[1, 2, 3], [4, 5, 6], [7, 8]]


def test_an_old_copy_that_never_catches_up_is_told(server, client, answers):
    copy = [lambda _: answers.page([1, 2], 2), lambda _: httpx.Response(200, json={"count": 8})]
    server.script = copy * 6
    with pytest.raises(NocoContractError, match=r"2 rows above Id 0, where the server counts 8.*6 attempts"):
        next(client.pages("m1"))


@pytest.mark.parametrize("body", [[], {"list": []}, {"list": {}, "pageInfo": {}}, {"list": [1], "pageInfo": {}}])
def test_an_answer_of_another_shape_is_a_fault(server, client, body):
    server.script = [lambda _: httpx.Response(200, json=body)]
    assert len(ids(client.pages("m1"))) == 3
    server.script = [lambda _: httpx.Response(200, json=body)] * 6
    with pytest.raises(NocoContractError, match="another shape"):
        next(client.pages("m1"))


@pytest.mark.parametrize(
    "page",
    [
        Page([{"Id": 1}], is_first=False, is_last=True, total=1),
        Page([{"Id": 1}], is_first=True, is_last=True, total=2),
        Page([], is_first=True, is_last=False, total=None),
        Page([{"Id": 1}, {"Id": 2}], is_first=True, is_last=False, total=2),
        Page([{"id": 1}], is_first=True, is_last=True, total=1),
    ],
)
def test_contradictions_are_found(page):
    assert contradiction(page, after=0, asked=2)


@pytest.mark.parametrize("total", [None, 2])
def test_a_consistent_page_has_no_contradiction(total):
    page = Page([{"Id": 1}, {"Id": 5}], is_first=True, is_last=True, total=total)
    assert contradiction(page, after=0, asked=2) is None


@pytest.mark.parametrize("arguments", [{"after": -1}, {"table_id": "../m1"}, {"table_id": ""}])
def test_impossible_arguments_are_refused_before_anything_is_asked(server, client, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        client.pages(**{"table_id": "m1", **arguments})
    assert server.requests == []
