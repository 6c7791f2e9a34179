"""A pull from a terminal, outside Airflow: land, admit, and say where every row went. What `tanhuan pull` does.

The lake needs no lock, so this may run beside a night; the warehouse is left alone, the next refresh takes it in.
"""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tanhuan.admit import admit_load
from tanhuan.batch import Outcome
from tanhuan.contracts import FEEDS, get_contract, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.forms import check_form
from tanhuan.inbox import land_inbox, list_dropped, list_strays
from tanhuan.pull import Landed, land_feed, land_range
from tanhuan.services import use_upstream
from tanhuan.settings import Settings

_COUNTS = ("received", "admitted", "quarantined", "unchanged")


@dataclass(frozen=True)
class PullRequest:
    """What is asked for: a feed's night, or with `days` those business days again, or only what lies in the inbox."""

    feed: str
    key: dt.date
    tables: list[str] = field(default_factory=list)
    form: str | None = None
    days: tuple[dt.date, dt.date] | None = None
    inbox_only: bool = False

    def __post_init__(self) -> None:
        if self.feed not in FEEDS:
            raise TanhuanError(f"There is no feed {self.feed!r}.", f"name one of {', '.join(FEEDS)}.")
        if strange := set(self.tables) - set(tables_of(self.feed)):
            raise TanhuanError(
                f"Feed {self.feed} has no table {', '.join(sorted(strange))}.",
                f"name one of {', '.join(tables_of(self.feed))}.",
            )
        if self.days and self.days[0] > self.days[1]:
            raise TanhuanError(f"{self.days[0]} is after {self.days[1]}.", "name the earlier day first.")
        if self.form:
            for table in self.tables or tables_of(self.feed):
                check_form(table, self.form)


@dataclass
class PullResult:
    """What became of each load, and the sentences of what could not be pulled."""

    outcomes: list[Outcome]
    failures: list[str]

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for came and was let in."""
        return not self.failures and all(o.state != "refused" for o in self.outcomes)

    def as_record(self) -> dict[str, Any]:
        """Return the result for programs; received = admitted + quarantined + unchanged in every load and in all."""
        loads = [
            asdict(o.load)
            | {"state": o.state, "reason": o.reason, "notes": o.notes}
            | {name: getattr(o, name) for name in _COUNTS}
            for o in self.outcomes
        ]
        return {
            "loads": loads,
            "total": {c: sum(getattr(o, c) for o in self.outcomes) for c in _COUNTS},
            "failures": self.failures,
        }


def run_pull(request: PullRequest, settings: Settings, console: Console) -> PullResult:
    """Land what is asked for and take it through gate 1."""
    # The inbox asks no upstream; everything else does, and needs the stand-in's keys to be judged, too.
    source = nullcontext(settings) if request.inbox_only else use_upstream(settings)
    with source as reachable:
        return _pull(request, reachable, console)


def _pull(request: PullRequest, settings: Settings, console: Console) -> PullResult:
    with console.status(f"拉取 {request.feed} … pulling"):
        landed = _land(request, settings)
    outcomes = []
    # The table and the notes tell it; the log of a task shows each check with its rows.
    logging.getLogger("tanhuan.admit").setLevel(logging.ERROR)
    for position, load in enumerate(landed.loads, start=1):
        with console.status(f"把关 {load.table} {position}/{len(landed.loads)} … judging"):
            outcomes.append(admit_load(load, settings))
    return PullResult(outcomes, [*map(str, landed.failures), *_list_left(request, settings)])


def show_pull(result: PullResult, console: Console) -> None:
    """Print a line a load, with what it received and where that went."""
    table = Table(title="收到 = 入湖 + 隔离 + 无变化  received = admitted + quarantined + unchanged", box=SIMPLE_HEAD)
    for column in ("表 table", "来件 form", "结果 state"):
        table.add_column(column, overflow="fold")
    for name in _COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in result.outcomes:
        load = outcome.load
        counts = [f"{getattr(outcome, name):,}" for name in _COUNTS]
        table.add_row(load.table, load.form, outcome.state, *counts)
    table.add_section()
    table.add_row("", "", "", *[f"{n:,}" for n in result.as_record()["total"].values()])
    console.print(table)
    for outcome in result.outcomes:
        failed = [check for check in outcome.checks if not check.passed]
        checks = f"checks that did not pass: {', '.join(check.id for check in failed)}" if failed else None
        for note in filter(None, (outcome.reason, checks, *outcome.notes)):
            console.print(f"[yellow]·[/] {outcome.load.table}: {escape(note)}", highlight=False, soft_wrap=True)
    for failure in result.failures:
        console.print(f"[red]✗[/] {escape(failure)}", highlight=False, soft_wrap=True)


def _land(request: PullRequest, settings: Settings) -> Landed:
    tables = request.tables or tables_of(request.feed)
    if request.inbox_only:
        return Landed([load for table in tables for load in land_inbox(get_contract(table), request.key, settings)])
    if request.form:
        settings = settings.model_copy(update={"forms": settings.forms | dict.fromkeys(tables, request.form)})
    if request.days:
        return land_range(request.feed, tables, request.key, *request.days, settings, "pull")
    return land_feed(request.feed, request.key, settings, tables)


def _list_left(request: PullRequest, settings: Settings) -> list[str]:
    """Return a sentence for every file that waits in the inbox still."""
    strays = [f"inbox: {path.name} is no table's folder; nothing in it is taken." for path in list_strays(settings)]
    return strays + [
        f"inbox: {path.name} of table {table} was not taken; the log says why."
        for table in request.tables or tables_of(request.feed)
        for path in list_dropped(table, settings)
    ]
