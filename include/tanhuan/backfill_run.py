"""A backfill through its DAG, followed from outside: what `tanhuan backfill` does.

Belongs here: recording the request, starting the run, progress, how it ended. Does not belong here: the chunks.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tanhuan.airflow_api import AirflowApi
from tanhuan.backfill import (
    COUNTS,
    BackfillRequest,
    Chunk,
    RequestState,
    plan_chunks,
    read_finished,
    read_state,
    record_request,
)
from tanhuan.follow import ENDED, REFRESH, Follower
from tanhuan.settings import Settings

_DAG = "backfill"


@dataclass(frozen=True)
class BackfillResult:
    """How a backfill ended: how far it came, whether that was published, and the sentences of what failed."""

    state: RequestState
    published: bool
    seconds: float
    failures: list[str]

    def as_record(self) -> dict[str, Any]:
        """Return the result for programs; received = admitted + quarantined + unchanged."""
        return self.state.as_record() | {
            "published": self.published,
            "seconds": round(self.seconds, 1),
            "failures": self.failures,
        }


def run_backfill(api: AirflowApi, request: BackfillRequest, settings: Settings, console: Console) -> BackfillResult:
    """Record a request or resume one, print each chunk as it ends, wait until all is published or cannot be.

    However long it takes: Airflow ends every task within its time.
    """
    record_request(request, settings)
    follower = Follower(api, settings, console)
    follower.print(f"[bold]{request.id}[/]")
    news = _News(request, settings, follower)
    run_id = api.trigger(_DAG, conf={"request": request.id})
    follower.wait(f"Backfill {request.id}", lambda: api.read_state(_DAG, run_id) in ENDED, news.print, math.inf)
    published = api.read_state(_DAG, run_id) == "success" and _wait_for_refresh(api, request, follower)
    failures = follower.list_failures(lambda step: request.id in step or step.startswith(REFRESH))
    state = read_state(request, settings)
    if not state.is_finished:
        failures.append(
            f"{state.chunks - state.finished} of {state.chunks} chunks are not finished. "
            f"Next step: `tanhuan backfill --resume {request.id}` does only these."
        )
    return BackfillResult(state, published, follower.seconds, failures)


def show_requests(states: list[RequestState], console: Console) -> None:
    """Print a line a request: what was asked for, by whom and why, and how far it has come."""
    table = Table(title="补数申请 Backfills")
    # An id is there to be copied: it is never cut.
    table.add_column("编号 id", no_wrap=True)
    for column in ("日期 days", "表 tables", "申请人 who", "事由 reason"):
        table.add_column(column)
    for column in ("块 chunks", *COUNTS):
        table.add_column(column, justify="right")
    for state in states:
        request = state.request
        table.add_row(
            request.id,
            f"{request.first} … {request.last}",
            ", ".join(request.tables) or "all",
            escape(request.who),
            escape(request.reason),
            f"{state.finished}/{state.chunks}",
            *[f"{state.counts[name]:,}" for name in COUNTS],
        )
    console.print(table)


def _wait_for_refresh(api: AirflowApi, request: BackfillRequest, follower: Follower) -> bool:
    """Wait for the refresh of the night that was announced; tell whether it published."""
    [announced] = follower.list_steps(lambda step: step == f"{_DAG}.announce.{request.id}")
    # Whatever refresh begins after this moment takes in every chunk.
    since = dt.datetime.fromisoformat(announced["started_at"])

    def read_state() -> str | None:
        return api.list_runs(since, announced["key"]).get(REFRESH)

    def print_news() -> None:
        if follower.is_quiet:
            follower.print(f"… {REFRESH} of {announced['key']}")

    follower.wait(f"The refresh of {announced['key']}", lambda: read_state() in ENDED, print_news, math.inf)
    return read_state() == "success"


class _News:
    """Prints the chunks that were finished since it last looked."""

    def __init__(self, request: BackfillRequest, settings: Settings, follower: Follower) -> None:
        self._chunks = {chunk.name: chunk for chunk in plan_chunks(request)}
        self._settings, self._follower = settings, follower
        self._told = set(self._read_finished())
        if self._told:
            follower.print(f"· {len(self._told)}/{len(self._chunks)} chunks were finished before")

    def print(self) -> None:
        for name, record in self._read_finished().items():
            if name not in self._told:
                self._told.add(name)
                self._tell(self._chunks[name], record)
        if self._follower.is_quiet:
            self._follower.print(f"… {len(self._told)}/{len(self._chunks)} chunks")

    def _tell(self, chunk: Chunk, record: dict[str, Any]) -> None:
        counts = " + ".join(f"{record[name]:,} {name}" for name in COUNTS[1:])
        progress = f"[green]✓[/] {len(self._told)}/{len(self._chunks)} {chunk.label}"
        self._follower.print(f"{progress}: {record['received']:,} received = {counts}", record["seconds"])

    def _read_finished(self) -> dict[str, dict[str, Any]]:
        return read_finished(list(self._chunks.values()), self._settings)
