"""A backfill's request, how it is cut into chunks, and what is left of it after a break."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tanhuan import ledger
from tanhuan.backfill import (
    CHUNK_DAYS,
    COUNTS,
    BackfillRequest,
    Chunk,
    choose_night,
    list_open_chunks,
    list_requests,
    new_request,
    plan_chunks,
    read_request,
    record_request,
    run_chunk,
    take_form,
)
from tanhuan.contracts import FEEDS, get_contract, load_contracts, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.settings import TIME_ZONE, Settings, yesterday

MOMENT = dt.datetime(2026, 2, 3, 1, 30, tzinfo=dt.UTC)
FORM = {"feed": "monitoring", "from": "2025-12-01", "to": "2025-12-30", "reason": "logger clocks were wrong"}


def ask(**changes: Any) -> BackfillRequest:
    asked = {"feed": "monitoring", "first": "2025-12-01", "last": "2025-12-30", "reason": "a gap", "who": "li"}
    return new_request(**(asked | changes))


def finish(chunk: Chunk, settings: Settings) -> None:
    counts = dict(zip(COUNTS, (10, 6, 1, 3), strict=True))
    ledger.record("backfill_chunks", chunk.name, {"request": chunk.request, **counts}, settings)


def days_of(chunk: Chunk) -> list[dt.date]:
    first, last = dt.date.fromisoformat(chunk.first), dt.date.fromisoformat(chunk.last)
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"feed": "weather"}, "no feed 'weather'.*monitoring.*or all"),
        ({"tables": ["permit"]}, "monitoring has no table permit.*air_hour"),
        ({"feed": "all", "tables": ["ozone"]}, "no table ozone"),
        ({"first": "1.12.2025"}, "'1.12.2025' is not a date.*YYYY-MM-DD"),
        ({"last": None}, "None is not a date"),
        ({"first": "2025-12-31"}, "2025-12-31 is after 2025-12-30"),
        ({"first": "2018-12-31"}, "2018-12-31.*2019-01-01 or later"),
        ({"last": (yesterday() + dt.timedelta(days=2)).isoformat()}, "not over yet"),
        ({"reason": "  "}, "reason.*audits"),
        ({"reason": None}, "reason.*audits"),
        ({"who": ""}, "name.*audits"),
    ],
)
def test_a_request_that_cannot_be_is_answered_with_what_to_change(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TanhuanError, match=rf"(?s){sentence}") as refusal:
        ask(**changes)
    assert "Next step" in str(refusal.value)


def test_the_days_of_a_request_are_cut_so_that_each_is_in_one_chunk() -> None:
    chunks = [chunk for chunk in plan_chunks(ask(first="2025-12-01", last="2026-01-05")) if chunk.first]
    assert [day for chunk in chunks for day in days_of(chunk)] == [
        dt.date(2025, 12, 1) + dt.timedelta(days=n) for n in range(36)
    ]
    assert max(len(days_of(chunk)) for chunk in chunks) == CHUNK_DAYS
    assert {chunk.key for chunk in chunks} == {"2026-01-05"}


def test_a_request_for_all_feeds_asks_for_every_table_of_every_day_once() -> None:
    chunks = plan_chunks(ask(feed="all", first="2025-12-01", last="2025-12-02"))
    assert sorted(table for chunk in chunks for table in chunk.tables) == sorted(load_contracts())
    assert {chunk.feed for chunk in chunks} == set(FEEDS)
    for chunk in chunks:
        assert set(chunk.tables) <= set(tables_of(chunk.feed))
        assert {get_contract(table).mode for table in chunk.tables} == {"window" if chunk.first else "snapshot"}
    assert len({chunk.name for chunk in chunks}) == len(chunks)


def test_a_request_for_some_tables_asks_for_no_other() -> None:
    assert [chunk.tables for chunk in plan_chunks(ask(tables=["air_hour"], last="2025-12-01"))] == [["air_hour"]]
    assert [c.feed for c in plan_chunks(ask(feed="all", tables=["permit"]))] == ["permits"]


def test_snapshots_are_asked_for_as_they_are_now_and_not_as_of_days_long_past() -> None:
    """A check that no date lies after the night's own would otherwise flag all that has happened since."""
    (chunk,) = plan_chunks(ask(feed="permits"))
    assert chunk.find_key() == yesterday()


def test_a_request_is_recorded_once_whoever_runs_the_task_again(home: Settings) -> None:
    first = take_form(FORM, "wang", MOMENT, home)
    again = take_form(FORM | {"reason": "another"}, "wang", MOMENT, home)
    assert again == first
    assert ledger.list_names("backfills", home) == [first.id]
    assert first.id.startswith(MOMENT.astimezone(TIME_ZONE).strftime("%Y%m%dT%H%M%S"))
    assert (first.who, first.reason) == ("wang", "logger clocks were wrong")


def test_whoever_is_named_asks_and_else_whoever_is_logged_in(home: Settings) -> None:
    assert take_form(FORM | {"who": "zhao"}, "admin", MOMENT, home).who == "zhao"
    with pytest.raises(TanhuanError, match="name"):
        take_form(FORM, None, MOMENT + dt.timedelta(seconds=1), home)
    assert len(ledger.list_names("backfills", home)) == 1


def test_a_request_that_is_resumed_needs_only_its_id(home: Settings) -> None:
    recorded = record_request(ask(), home)
    empty: dict[str, Any] = {"feed": None, "from": None, "to": None, "reason": None, "tables": [], "who": None}
    assert take_form(empty | {"request": recorded.id}, "wang", MOMENT, home) == recorded
    assert read_request(recorded.id, home) == recorded
    with pytest.raises(TanhuanError, match=r"no backfill '2026'.*--list"):
        take_form(empty | {"request": "2026"}, "wang", MOMENT, home)


def test_only_unfinished_chunks_are_left_and_the_list_says_how_many(home: Settings) -> None:
    request = record_request(ask(), home)
    other = record_request(ask(feed="permits"), home)
    chunks = plan_chunks(request)
    finish(chunks[0], home)
    finish(chunks[2], home)
    assert list_open_chunks(request, home) == [chunks[1]]
    newest, oldest = list_requests(home)
    assert (newest.request, newest.finished, newest.is_finished) == (other, 0, False)
    assert (oldest.request, oldest.finished, oldest.chunks) == (request, 2, 3)
    assert oldest.counts == {"received": 20, "admitted": 12, "quarantined": 2, "unchanged": 6}
    finish(chunks[1], home)
    assert list_requests(home)[1].is_finished


def test_a_finished_chunk_asks_the_upstream_for_nothing(home: Settings) -> None:
    chunk = plan_chunks(record_request(ask(), home))[0]
    finish(chunk, home)
    assert run_chunk(chunk, home)["request"] == chunk.request
    assert not home.landing.exists()


def test_the_refresh_is_for_the_night_that_readers_see(home: Settings) -> None:
    request = ask()
    assert choose_night(request, home) == dt.date(2025, 12, 30), "nothing is published yet"
    ledger.record("publications", "2026-02-01_20260202T013000", {"as_of": "2026-02-01", "night": "2026-02-01"}, home)
    assert choose_night(request, home) == dt.date(2026, 2, 1)
