"""The first half of a feed's night: which business days to ask for, ask, and keep the bytes in landing.

Only this half talks to the network, so only this half is worth trying again.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field

from tanhuan import ledger
from tanhuan.contracts import Contract, get_contract, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.feeds.paged_api import PagedApi
from tanhuan.landing import Load, new_load, write_load
from tanhuan.settings import Settings

log = logging.getLogger(__name__)


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


def land_feed(feed: str, key: dt.date, settings: Settings) -> Landed:
    """Pull every table of a feed for a night into landing; a table that cannot be pulled does not stop the others.

    A table whose history was never loaded gets it first, month by month.
    """
    landed = Landed()
    with PagedApi(settings) as api:
        for table in tables_of(feed):
            try:
                landed.loads += land_table(api, table, key, settings)
            except TanhuanError as failure:
                log.error("%s", failure)
                landed.failures.append(failure)
    return landed


def land_table(api: PagedApi, table: str, key: dt.date, settings: Settings) -> list[Load]:
    """Pull one table for a night; return its loads that are now in landing."""
    contract = get_contract(table)
    loads = plan_loads(contract, key, settings)
    for load in loads:
        pages = api.fetch(contract, dt.date.fromisoformat(load.first), dt.date.fromisoformat(load.last))
        rows = write_load(load, pages, settings)
        log.info("landed %s: %d rows, %s to %s (%s)", table, rows, load.first, load.last, load.kind)
    return loads


def plan_loads(contract: Contract, key: dt.date, settings: Settings) -> list[Load]:
    """Return the pulls a table needs for a night: what is missing of its history, then the night's own window."""
    if contract.mode == "snapshot":
        return [new_load(contract, key, key, key)]
    window_start = key - dt.timedelta(days=contract.late_window_days - 1)
    history = [
        new_load(contract, key, first, last, "history")
        for first, last in _history_months(contract, window_start)
        if settings.load_history and ledger.read_day(contract.table, ledger.history_key(first), settings) is None
    ]
    return [*history, new_load(contract, key, window_start, key)]


def _history_months(contract: Contract, window_start: dt.date) -> list[tuple[dt.date, dt.date]]:
    """Return the history a contract asks for, cut into months, ending before the night's own window."""
    months = []
    for period in contract.history:
        first = period.from_
        end = min(period.to or window_start, window_start - dt.timedelta(days=1))
        while first <= end:
            next_month = (first.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
            months.append((first, min(end, next_month - dt.timedelta(days=1))))
            first = next_month
    return months
