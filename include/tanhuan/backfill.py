"""A backfill: days asked for again because somebody has a reason. The request is recorded, its work done in chunks.

A finished chunk has a record; one without is done again, and what had been admitted by then comes out unchanged. So a
request can be resumed after any end of any process. Belongs here: requests, chunks and their records. Does not belong
here: who carries them out (dags/backfill.py) and who follows that (backfill_run.py).
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tanhuan import ledger
from tanhuan.admit import admit_loads
from tanhuan.contracts import FEEDS, get_contract, load_contracts, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.pull import land_range
from tanhuan.settings import TIME_ZONE, Settings, now, yesterday

#: a request for every feed
ALL_FEEDS = "all"
#: before the base year of the 13th plan no feed has anything
EARLIEST = dt.date(2019, 1, 1)
#: A killed chunk is done again from its beginning, so it should be short: ten days of every table take two to three
#: seconds. A task costs up to 1.5 s to start, so shorter chunks would be mostly start-ups.
CHUNK_DAYS = 10
#: where every received row went
COUNTS = ("received", "admitted", "quarantined", "unchanged")


@dataclass(frozen=True)
class BackfillRequest:
    """Which business days of which feed are wanted again, why, and by whom.

    `id` sorts by time. Dates are ISO texts, both ends included; no `tables` means all of the feed.
    """

    id: str
    feed: str
    tables: list[str]
    first: str
    last: str
    reason: str
    who: str
    requested_at: str


@dataclass(frozen=True)
class Chunk:
    """A part of a request that is done and recorded as one: some days of a feed's window tables, or its snapshots.

    `key` is the night under which its loads are filed. A chunk of snapshots has no days (`key`, `first` and `last` are
    empty): they are pulled as they are now, whatever days are asked for.
    """

    request: str
    feed: str
    tables: list[str]
    key: str = ""
    first: str = ""
    last: str = ""

    @property
    def name(self) -> str:
        """The name of its record, unique within all requests."""
        return f"{self.request}-{self.feed}-{self.first or 'snapshots'}"

    @property
    def label(self) -> str:
        """What it is, for a person, e.g. `monitoring 2025-01-01 … 2025-01-10`."""
        return f"{self.feed} {self.first} … {self.last}" if self.first else f"{self.feed} snapshots"

    def find_key(self) -> dt.date:
        """Return the night under which its loads are filed; checks on dates know no later day."""
        return dt.date.fromisoformat(self.key) if self.key else yesterday()


@dataclass(frozen=True)
class RequestState:
    """A request and how far it has come: chunks in all and finished, rows so far by where they went."""

    request: BackfillRequest
    chunks: int
    finished: int
    counts: dict[str, int]

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.finished == self.chunks

    def as_record(self) -> dict[str, Any]:
        """Return the state for programs."""
        return asdict(self.request) | {"chunks": self.chunks, "finished": self.finished} | self.counts


def new_request(
    feed: str,
    first: str | None,
    last: str | None,
    reason: str | None,
    who: str | None,
    tables: Sequence[str] = (),
    requested_at: dt.datetime | None = None,
) -> BackfillRequest:
    """Return a request as somebody filled it in; nothing is recorded yet.

    Raises:
        TanhuanError: names what is missing or cannot be.
    """
    _check_feed(feed, tables)
    days = [_read_day(text) for text in (first, last)]
    if days[0] > days[1]:
        raise TanhuanError(f"{days[0]} is after {days[1]}.", "name the earlier day first.")
    if days[0] < EARLIEST:
        raise TanhuanError(f"{days[0]}: no feed goes back that far.", f"begin with {EARLIEST} or later.")
    if days[1] > yesterday():
        raise TanhuanError(f"{days[1]} is not over yet in Asia/Shanghai.", f"end with {yesterday()} or earlier.")
    for name, text in (("reason", reason), ("name", who)):
        if not (text or "").strip():
            raise TanhuanError(f"A backfill has to have a {name}: it is kept for audits.", f"give a {name}.")
    at = (requested_at or now()).astimezone(TIME_ZONE)
    return BackfillRequest(
        id=f"{at:%Y%m%dT%H%M%S%f}-{feed}",
        feed=feed,
        tables=sorted(set(tables)),
        first=days[0].isoformat(),
        last=days[1].isoformat(),
        reason=str(reason).strip(),
        who=str(who).strip(),
        requested_at=at.isoformat(),
    )


def take_form(
    form: Mapping[str, Any], login: str | None, requested_at: dt.datetime, settings: Settings
) -> BackfillRequest:
    """Return the request that a form of the DAG means: the recorded one that it names, or a new one, recorded.

    The same form of the same moment is the same request, so a task that is run again does not ask twice. Whoever is
    logged in asks, unless the form names somebody else.
    """
    if form.get("request"):
        return read_request(str(form["request"]), settings)
    asked = new_request(
        str(form.get("feed")),
        form.get("from"),
        form.get("to"),
        form.get("reason"),
        form.get("who") or login,
        form.get("tables") or (),
        requested_at,
    )
    return record_request(asked, settings)


def record_request(request: BackfillRequest, settings: Settings) -> BackfillRequest:
    """Put a request in the ledger, unless it is there; return it as recorded."""
    if request.id not in ledger.list_names("backfills", settings):
        ledger.record("backfills", request.id, asdict(request), settings)
    return read_request(request.id, settings)


def read_request(request_id: str, settings: Settings) -> BackfillRequest:
    """Return a recorded request.

    Raises:
        TanhuanError: there is none of this id.
    """
    if request_id not in ledger.list_names("backfills", settings):
        raise TanhuanError(f"There is no backfill {request_id!r}.", "list them with `tanhuan backfill --list`.")
    return BackfillRequest(**ledger.read("backfills", request_id, settings))


def list_requests(settings: Settings) -> list[RequestState]:
    """Return every request with its state, newest first."""
    return [read_state(BackfillRequest(**event), settings) for event in ledger.read_last("backfills", settings)]


def read_state(request: BackfillRequest, settings: Settings) -> RequestState:
    """Return how far a request has come."""
    chunks = plan_chunks(request)
    records = list(read_finished(chunks, settings).values())
    counts = {name: sum(record[name] for record in records) for name in COUNTS}
    return RequestState(request, len(chunks), len(records), counts)


def read_finished(chunks: Sequence[Chunk], settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the records of those chunks that are finished, by chunk name."""
    recorded = set(ledger.list_names("backfill_chunks", settings))
    return {c.name: ledger.read("backfill_chunks", c.name, settings) for c in chunks if c.name in recorded}


def plan_chunks(request: BackfillRequest) -> list[Chunk]:
    """Cut a request into chunks, always the same ones: per feed its days in order, then its snapshots."""
    chunks = []
    for feed, by_mode in _sort_tables(request).items():
        if by_mode["window"]:
            spans = _cut(dt.date.fromisoformat(request.first), dt.date.fromisoformat(request.last))
            chunks += [Chunk(request.id, feed, by_mode["window"], request.last, *span) for span in spans]
        if by_mode["snapshot"]:
            chunks.append(Chunk(request.id, feed, by_mode["snapshot"]))
    return chunks


def list_open_chunks(request: BackfillRequest, settings: Settings) -> list[Chunk]:
    """Return the chunks of a request that have no record yet."""
    chunks = plan_chunks(request)
    finished = read_finished(chunks, settings)
    return [chunk for chunk in chunks if chunk.name not in finished]


def run_chunk(chunk: Chunk, settings: Settings) -> dict[str, Any]:
    """Land and admit a chunk and return its record; a chunk that has one is left alone.

    Raises:
        TanhuanError: a table could not be pulled or was refused; the others have been admitted by then.
    """
    if done := read_finished([chunk], settings):
        return done[chunk.name]
    started = time.monotonic()
    key = chunk.find_key()
    days = [dt.date.fromisoformat(text) if text else key for text in (chunk.first, chunk.last)]
    landed = land_range(chunk.feed, chunk.tables, key, days[0], days[1], settings)
    outcomes = admit_loads(landed.loads, settings)
    landed.check()
    record = {
        **asdict(chunk),
        **{name: sum(getattr(outcome, name) for outcome in outcomes) for name in COUNTS},
        "loads": [outcome.load.load_id for outcome in outcomes],
        "seconds": round(time.monotonic() - started, 3),
        "recorded_at": now().isoformat(),
    }
    ledger.record("backfill_chunks", chunk.name, record, settings)
    return record


def choose_night(request: BackfillRequest, settings: Settings) -> dt.date:
    """Return the night to refresh when a request is done: the one readers see, so that their date does not move."""
    newest = next(ledger.read_last("publications", settings), {"as_of": request.last})
    return dt.date.fromisoformat(newest["as_of"])


def _check_feed(feed: str, tables: Sequence[str]) -> None:
    if feed != ALL_FEEDS and feed not in FEEDS:
        raise TanhuanError(f"There is no feed {feed!r}.", f"name one of {', '.join(FEEDS)}, or {ALL_FEEDS}.")
    known = list(load_contracts()) if feed == ALL_FEEDS else tables_of(feed)
    if strange := set(tables) - set(known):
        raise TanhuanError(
            f"Feed {feed} has no table {', '.join(sorted(strange))}.", f"name some of {', '.join(known)}."
        )


def _read_day(text: str | None) -> dt.date:
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError as exc:
        raise TanhuanError(f"{text!r} is not a date.", "name the first and the last day as YYYY-MM-DD.") from exc


def _sort_tables(request: BackfillRequest) -> dict[str, dict[str, list[str]]]:
    """Return the tables asked for, by feed and by mode (window or snapshot)."""
    wanted = request.tables or list(load_contracts())
    found: dict[str, dict[str, list[str]]] = {}
    for feed in FEEDS if request.feed == ALL_FEEDS else (request.feed,):
        found[feed] = defaultdict(list)
        for table in tables_of(feed):
            if table in wanted:
                found[feed][get_contract(table).mode].append(table)
    return found


def _cut(first: dt.date, last: dt.date) -> list[tuple[str, str]]:
    """Cut days into spans of CHUNK_DAYS, the last one shorter."""
    starts = range(0, (last - first).days + 1, CHUNK_DAYS)
    spans = [(first + dt.timedelta(days=n), first + dt.timedelta(days=n + CHUNK_DAYS - 1)) for n in starts]
    return [(start.isoformat(), min(end, last).isoformat()) for start, end in spans]
