"""Landing, ledger, lake and small files: whole or not there, and the receipt says what came."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import zstandard

from tanhuan import ledger
from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory
from tanhuan.feeds.upstream import Page
from tanhuan.files import read_json, write_bytes, write_json
from tanhuan.formats.rows import open_payload
from tanhuan.lake import write_rows
from tanhuan.landing import Arrival, Load, list_payloads, new_load, read_receipt, write_pages
from tanhuan.settings import Settings

DAY = dt.date(2025, 12, 31)
PAGES = [
    Page("http://platform/permit?page=1", 200, {"ETag": "x"}, b'{"total":3,"rows":[1,2]}', 2, 3),
    Page("http://platform/permit?page=2", 200, {}, "湘潭 \x00\xff".encode("latin-1", "ignore"), 1, 3),
]


def name_load() -> Load:
    return new_load(get_contract("permit"), DAY, DAY, DAY, "night", "pages")


def test_a_receipt_says_what_came_and_the_bytes_are_what_it_says(home: Settings) -> None:
    load = name_load()
    assert write_pages(Arrival(load, home, "http://platform"), PAGES) == 3
    receipt = read_receipt(load, home)
    assert (receipt["load_id"], receipt["table"]) == (load.load_id, "permit")
    assert receipt["request"] == {"from": "2025-12-31", "to": "2025-12-31"}
    assert dt.datetime.fromisoformat(receipt["fetched_at"]).utcoffset() == dt.timedelta(hours=8)
    assert len(receipt["payloads"]) == len(PAGES)
    for said, page in zip(receipt["payloads"], PAGES, strict=True):
        body = zstandard.ZstdDecompressor().decompress((load.folder(home) / said["file"]).read_bytes())
        assert body == page.body
        assert said["sha256"] == hashlib.sha256(page.body).hexdigest()
        assert (said["bytes"], said["rows"], said["rows_stated"]) == (len(page.body), page.rows, 3)
        assert (said["url"], said["status"], said["headers"]) == (page.url, 200, page.headers)
    assert load.folder(home).relative_to(home.landing) == Path(f"permit/dt=2025-12-31/{load.load_id}")


def test_a_streamed_payload_is_hashed_and_counted_as_it_passes(home: Settings) -> None:
    load = name_load()
    arrival = Arrival(load, home, None)
    with arrival.stream("ndjson") as sink:
        for line in (b'{"a": 1}\n', b'{"a": 2}\n'):
            sink.write(line)
    arrival.close()
    (payload,) = read_receipt(load, home)["payloads"]
    assert (payload["bytes"], sink.lines) == (18, 2)
    assert payload["sha256"] == hashlib.sha256(b'{"a": 1}\n{"a": 2}\n').hexdigest()
    with open_payload(list_payloads(load, home)[0].path) as file:
        assert file.read() == b'{"a": 1}\n{"a": 2}\n'


def test_a_stream_that_breaks_off_leaves_nothing(home: Settings) -> None:
    load = name_load()

    def cut_short() -> None:
        with Arrival(load, home, None).stream("ndjson") as sink:
            sink.write(b"half")
            raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        cut_short()
    assert list(load.folder(home).iterdir()) == []


def test_a_pull_that_breaks_off_leaves_no_receipt(home: Settings) -> None:
    def cut() -> Iterator[Page]:
        yield PAGES[0]
        raise ConnectionError("cut")

    load = name_load()
    with pytest.raises(ConnectionError):
        write_pages(Arrival(load, home, "http://platform"), cut())
    assert [p.name for p in load.folder(home).iterdir()] == ["payload-00001.json.zst"]
    with pytest.raises(FileNotFoundError):
        read_receipt(load, home)


def test_loads_sort_by_time_even_within_one_microsecond() -> None:
    ids = [name_load().load_id for _ in range(500)]
    assert len(set(ids)) == 500
    assert ids == sorted(ids)


def test_events_are_listed_in_order_and_read_newest_first(home: Settings) -> None:
    for number in (3, 1, 2):
        ledger.record("loads", f"2025010{number}-x", {"number": number}, home)
    assert ledger.list_names("loads", home) == ["20250101-x", "20250102-x", "20250103-x"]
    assert [e["number"] for e in ledger.read_last("loads", home)] == [3, 2, 1]
    assert ledger.list_names("gates", home) == []


def test_the_ledger_keeps_known_kinds_only(home: Settings) -> None:
    with pytest.raises(AssertionError, match="the ledger keeps"):
        ledger.record("rumours", "x", {}, home)


def test_what_a_killed_writer_left_is_no_event(home: Settings) -> None:
    path = ledger.record("loads", "20250101-x", {"number": 1}, home)
    path.with_name(f".{path.name}.0123.tmp").write_text("{", "utf-8")
    assert ledger.list_names("loads", home) == ["20250101-x"]


def test_what_was_last_received_of_a_day_is_remembered(home: Settings) -> None:
    assert ledger.read_day("air_hour", "2025-12-31", home) is None
    for content in ("first", "second"):
        ledger.write_day("air_hour", "2025-12-31", {"content": content}, home)
    assert ledger.read_day("air_hour", "2025-12-31", home) == {"content": "second"}
    assert ledger.period_key("history", dt.date(2019, 3, 1)) == "history-2019-03"


def test_json_comes_back_as_it_went_and_people_can_read_it(tmp_path: Path) -> None:
    value = {"表": ["湘潭", None, 1.5, {"a'b": 'c"d'}]}
    write_json(tmp_path / "deep" / "x.json", value)
    assert read_json(tmp_path / "deep" / "x.json") == value
    assert "湘潭" in (tmp_path / "deep" / "x.json").read_text("utf-8")


def test_a_file_is_replaced_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "x"
    for content in (b"old and long", b"new"):
        write_bytes(target, content)
    assert target.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_rows_that_cannot_be_written_leave_no_file(tmp_path: Path) -> None:
    target = tmp_path / "it's" / "rows.parquet"
    with open_memory() as con:
        write_rows(con, "select 1 as a", target)
        with pytest.raises(duckdb.Error):
            write_rows(con, "select error('no') as a", tmp_path / "bad.parquet")
        assert con.execute("from read_parquet($1)", [str(target)]).fetchall() == [(1,)]
    assert not (tmp_path / "bad.parquet").exists()
