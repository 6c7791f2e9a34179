"""The first half of a feed's night: which business days to ask for, ask, and keep the bytes in landing.

Only this half talks to the network, so only this half is worth trying again.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tanhuan import ledger
from tanhuan.contracts import Contract, Restatement, get_contract, tables_of
from tanhuan.corrections import list_in_force, mark_suite
from tanhuan.duck import open_memory
from tanhuan.errors import ShortAnswer, TanhuanError
from tanhuan.feeds.upstream import ExportForm, NotModified, Upstream
from tanhuan.forms import NDJSON, PAGES, PARQUET, check_form
from tanhuan.gates.suites import load_source_suite
from tanhuan.inbox import land_inbox
from tanhuan.landing import Arrival, Kind, Load, new_load, write_pages
from tanhuan.ledger import SNAPSHOT
from tanhuan.settings import Settings

log = logging.getLogger(__name__)

#: how long after its date a restatement is still asked for; an installation that was down longer asks by hand
_RESTATEMENT_GRACE_DAYS = 31


@dataclass
class Landed:
    """What a feed brought: loads that are now in landing, and the failures of tables that could not be pulled."""

    loads: list[Load] = field(default_factory=list)
    failures: list[TanhuanError] = field(default_factory=list)

    def check(self) -> list[Load]:
        """Return the loads if every table came, else raise its failure (one that no retry mends goes first)."""
        if self.failures:
            raise min(self.failures, key=lambda failure: failure.retryable)
        return self.loads


def land_feed(feed: str, key: dt.date, settings: Settings, tables: Sequence[str] = ()) -> Landed:
    """Pull every table of a feed (or the `tables` named) for a night into landing; one that fails does not stop others.

    A table whose history was never loaded gets it first, month by month. Files that were dropped in the inbox go last,
    so that what a person handed in stands above what a platform said the same night.
    """
    wanted = tables or tables_of(feed)
    landed = land_plans({table: plan_loads(get_contract(table), key, settings) for table in wanted}, settings)
    for table in wanted:
        landed.loads += land_inbox(get_contract(table), key, settings)
    return landed


def land_range(
    feed: str,
    tables: Sequence[str],
    key: dt.date,
    first: dt.date,
    last: dt.date,
    settings: Settings,
    kind: Kind = "backfill",
) -> Landed:
    """Pull business days again because somebody asked for it; a snapshot table is always as it is now."""
    plans = {}
    for table in tables or tables_of(feed):
        contract = get_contract(table)
        days = (first, last) if contract.mode == "window" else (key, key)
        form = settings.history_form if contract.mode == "window" else PAGES
        plans[table] = [new_load(contract, key, *days, kind, _choose_form(contract, form, settings))]
    return land_plans(plans, settings)


def land_plans(plans: dict[str, list[Load]], settings: Settings) -> Landed:
    """Carry out the planned loads of each table."""
    landed = Landed()
    with Upstream(settings) as upstream:
        for loads in plans.values():
            try:
                for load in loads:
                    rows = land_load(upstream, load, settings)
                    landed.loads.append(load)
                    log.info("landed %s: %s rows, %s to %s (%s)", load.table, rows, load.first, load.last, load.kind)
            except TanhuanError as failure:
                log.error("%s", failure)
                landed.failures.append(failure)
    return landed


def land_load(upstream: Upstream, load: Load, settings: Settings) -> int:
    """Ask for one load in its form and keep what comes; return the rows it is known to hold."""
    contract = get_contract(load.table)
    first, last = dt.date.fromisoformat(load.first), dt.date.fromisoformat(load.last)
    arrival = Arrival(load, settings, upstream.base)
    if load.form == PAGES:
        try:
            etag = _known_etag(contract, load.key, settings)
            return write_pages(arrival, upstream.fetch_pages(contract, first, last, etag))
        except NotModified:
            arrival.not_modified = True
            return arrival.close()
    if load.form in (NDJSON, PARQUET):
        return _land_export(upstream, arrival, contract, first, last)
    # Where the end of an hour is its label, the last hour of a day lies in the next day's file.
    spill = dt.timedelta(days=1 if contract.day and contract.day.label == "end" else 0)
    return _land_files(upstream, arrival, first, last + spill)


def plan_loads(contract: Contract, key: dt.date, settings: Settings) -> list[Load]:
    """Return the pulls a table needs for a night: missing history, periods restated since, then its own window."""
    form = _choose_form(contract, PAGES, settings)
    if contract.mode == "snapshot":
        return [new_load(contract, key, key, key, "night", form)]
    window_start = key - dt.timedelta(days=contract.late_window_days - 1)
    past = _choose_form(contract, settings.history_form, settings)
    history = [
        new_load(contract, key, first, last, "history", past)
        for first, last in _cut_history(contract, window_start)
        if settings.load_history and not _is_loaded(contract, "history", first, settings)
    ]
    restated = [
        new_load(contract, key, first, last, "restated", past)
        for first, last in _restated_periods(contract, key)
        if not _is_loaded(contract, "restated", first, settings)
        # What was never loaded cannot have been restated since.
        and ledger.read_day(contract.table, first.isoformat(), settings) is not None
    ]
    return [*history, *restated, new_load(contract, key, window_start, key, "night", form)]


def _choose_form(contract: Contract, usual: str, settings: Settings) -> str:
    return check_form(contract.table, settings.forms.get(contract.table, usual))


def _is_loaded(contract: Contract, kind: Kind, first: dt.date, settings: Settings) -> bool:
    return ledger.read_day(contract.table, ledger.period_key(kind, first), settings) is not None


def _cut_history(contract: Contract, window_start: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    """Yield the history a contract asks for, cut into months or years, ending before the night's own window."""
    for period in contract.history:
        first = period.from_
        end = min(period.to or window_start, window_start - dt.timedelta(days=1))
        while first <= end:
            following = _begin_next(first, period.by)
            yield first, min(end, following - dt.timedelta(days=1))
            first = following


def _begin_next(day: dt.date, by: Literal["month", "year"]) -> dt.date:
    if by == "year":
        return dt.date(day.year + 1, 1, 1)
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def _restated_periods(contract: Contract, key: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    """Yield the closed periods whose restatement has become due lately."""
    for rule in contract.restated:
        first, last = _last_closed(rule, key)
        due = last + dt.timedelta(days=rule.after_days)
        if due <= key <= due + dt.timedelta(days=_RESTATEMENT_GRACE_DAYS):
            yield first, last


def _last_closed(rule: Restatement, key: dt.date) -> tuple[dt.date, dt.date]:
    """Return the first and last day of the last month or quarter that had ended by a date."""
    months = 1 if rule.period == "month" else 3
    opened = key.replace(day=1, month=(key.month - 1) // months * months + 1)
    last = opened - dt.timedelta(days=1)
    return last.replace(day=1, month=last.month - months + 1), last


def _known_etag(contract: Contract, night: str, settings: Settings) -> str | None:
    """Return what the upstream called the snapshot we have, if the same rules have judged it."""
    if contract.mode != "snapshot":
        return None
    state = ledger.read_day(contract.table, SNAPSHOT, settings) or {}
    corrections = list_in_force(contract, night, settings)
    same_rules = state.get("suite") == mark_suite(load_source_suite(contract, settings), corrections).digest
    return state.get("etag") if same_rules else None


def _land_export(upstream: Upstream, arrival: Arrival, contract: Contract, first: dt.date, last: dt.date) -> int:
    """Keep one bulk answer as it streams in; its rows must be as many as it states."""
    form: ExportForm = "parquet" if arrival.load.form == PARQUET else "ndjson"
    with arrival.stream(form) as sink:
        export = upstream.fetch_export(contract, first, last, form, sink)
        sink.facts = {
            "url": export.url,
            "status": export.status,
            "headers": export.headers,
            "rows_stated": export.stated_rows,
            "rows": sink.lines,
        }
    [payload] = arrival.payloads
    if form == PARQUET:
        payload["rows"] = _count_parquet(arrival, payload["file"])
    if payload["rows_stated"] not in (None, payload["rows"]):
        raise ShortAnswer(
            f"feed {contract.feed}, table {contract.table}, days {first} to {last}: the upstream states "
            f"{payload['rows_stated']} rows but its export holds {payload['rows']}.",
            "nothing was admitted and the published version stays; the task tries again by itself, and if it stays "
            f"so, ask the operator of {arrival.source} to check the export of {contract.table}.",
        )
    return arrival.close()


def _count_parquet(arrival: Arrival, file: str) -> int:
    with open_memory() as con:
        named = {"file": str(arrival.load.folder(arrival.settings) / file)}
        [(rows,)] = con.execute("select sum(num_rows)::bigint from parquet_file_metadata($file)", named).fetchall()
    return int(rows)


def _land_files(upstream: Upstream, arrival: Arrival, first: dt.date, last: dt.date) -> int:
    """Keep one file a day; a day without a file is left out, the national archive has such days."""
    form, table = arrival.load.form, arrival.load.table
    for day in (first + dt.timedelta(days=n) for n in range((last - first).days + 1)):
        with arrival.stream("bin") as sink:
            file = upstream.fetch_file(get_contract(table), f"{form}/{day}", sink)
            if file is not None:
                sink.facts = {"name": file.name, "url": file.url, "status": file.status, "headers": file.headers}
        if file is None:
            arrival.drop_last()
            log.warning("table %s: the upstream has no %s file of %s", table, form, day)
    return arrival.close()
