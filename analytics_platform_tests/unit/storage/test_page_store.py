"""Pages as files: provenance beside the file, changes by another hand, writers that were killed."""

from __future__ import annotations

import datetime as dt

import orjson
import pytest

from analytics_platform.model.tables.operational_tables import DAILY_REPORT_PAGES, REPORT_PAGES
from analytics_platform.storage import page_store
from analytics_platform.storage.page_store import PageStore, PageStoreError
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import decide

DAY = "2006-06-01"
DAILY = DAILY_REPORT_PAGES.name
WEEKLY = REPORT_PAGES.of_kind("weekly").name
MADE_FROM = Provenance.of({"code": "a", "input conversations": "b"})


@pytest.fixture
def store(tmp_path):
    return PageStore(tmp_path / "reports")


def page(text: str, kind: str = "daily", day: str = DAY):
    return REPORT_PAGES.from_rows([{"kind": kind, "date": dt.date.fromisoformat(day), "page": text}])


def reasons(store: PageStore) -> tuple[str, ...]:
    return decide(lambda: store.info(DAILY, DAY), lambda: MADE_FROM).reasons


def test_a_page_is_exactly_the_file_and_comes_back(store):
    text = "<p>Grüße\r\n\N{SNOWMAN}</p>\n"
    info = store.write(DAILY, DAY, page(text), MADE_FROM.text(), {"fact": "x"})
    path = store.folder / "daily" / "2006-06-01.html"
    assert path.read_bytes() == text.encode()
    assert store.read(DAILY, DAY).equals(page(text))
    assert store.info(DAILY, DAY) == info
    assert info.annotations == {"fact": "x", "path": str(path)}
    assert (info.rows, info.bytes) == (1, len(text.encode()))


def test_a_page_of_an_earlier_version_keeps_its_provenance(store):
    """Under another name in the record, every page would be written again."""
    info = store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    fields = {"annotations": {}, "content_hash": info.content_hash, "fingerprint": MADE_FROM.text()}
    record = store.folder / "daily" / f".{DAY}.json"
    assert orjson.loads(record.read_bytes()) == fields


def test_a_written_page_is_current_until_its_inputs_change(store):
    assert reasons(store) == ("not stored before",)
    store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    assert reasons(store) == ()
    other = Provenance.of({**MADE_FROM.parts, "input conversations": "c"})
    assert decide(lambda: store.info(DAILY, DAY), lambda: other).reasons == ("changed input conversations",)


def test_a_missing_page_is_not_stored(store):
    store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    store.path(DAILY, DAY).unlink()
    assert reasons(store) == ("not stored before",)
    assert store.keys(DAILY) == []
    with pytest.raises(KeyError, match="no partition '2006-06-01'; materialize it first"):
        store.read(DAILY, DAY)


def test_a_page_changed_by_another_hand_is_stale_and_not_read(store):
    """Nothing compared a page with what was written, so an edited or cut-off page stayed for ever."""
    store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    store.path(DAILY, DAY).write_text("edited")
    assert reasons(store) == ("changed file",)
    with pytest.raises(PageStoreError, match=r"2006-06-01\.html was changed after it was written"):
        store.read(DAILY, DAY)
    store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    assert reasons(store) == ()


def test_a_writer_killed_between_page_and_record_leaves_a_stale_page(store, monkeypatch):
    store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    write = page_store.write_atomically

    def killed_at_the_record(path, content):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(page_store, "write_atomically", killed_at_the_record)
    with pytest.raises(KeyboardInterrupt):
        store.write(DAILY, DAY, page("b"), MADE_FROM.text())
    assert reasons(store) == ("changed file",)


@pytest.mark.parametrize("record", [b"", b"{", b"null", b"[]", b'{"content_hash": 1}', b"\xff"])
def test_a_page_with_a_damaged_record_is_not_stored(store, record):
    store.write(DAILY, DAY, page("a"), MADE_FROM.text())
    (store.folder / "daily" / f".{DAY}.json").write_bytes(record)
    assert reasons(store) == ("not stored before",)


def test_pages_of_an_earlier_version_are_written_anew(store):
    store.path(DAILY, DAY).parent.mkdir(parents=True)
    store.path(DAILY, DAY).write_text("old")
    assert store.keys(DAILY) == []
    assert reasons(store) == ("not stored before",)


def test_kinds_of_pages_live_beside_each_other(store):
    store.write(DAILY, DAY, page("day"), MADE_FROM.text())
    store.write(WEEKLY, DAY, page("week", "weekly"), MADE_FROM.text())
    assert [store.read(name, DAY)["page"][0].as_py() for name in (DAILY, WEEKLY)] == ["day", "week"]
    assert store.keys(WEEKLY) == [DAY]


@pytest.mark.parametrize("table", [page("a", "weekly"), page("a", day="2006-06-02"), REPORT_PAGES.empty()])
def test_a_page_of_another_kind_or_day_is_refused(store, table):
    with pytest.raises(ValueError, match="expected one page of this kind and day"):
        store.write(DAILY, DAY, table, MADE_FROM.text())
    assert not store.folder.exists()


@pytest.mark.parametrize(("name", "key"), [(DAILY, "../../x"), ("report_pages", DAY), ("report_pages/..", DAY)])
def test_no_name_or_key_leads_out_of_the_folder(store, name, key):
    with pytest.raises(ValueError, match=r"isoformat|names no kind"):
        store.path(name, key)


def test_a_page_that_cannot_be_read_is_named(store):
    store.path(DAILY, DAY).mkdir(parents=True)
    with pytest.raises(PageStoreError, match=r"2006-06-01\.html cannot be read: Is a directory"):
        store.info(DAILY, DAY)
