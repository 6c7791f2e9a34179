"""One whole night through the real DAGs, followed from outside: what `tanhuan night` does.

Belongs here: opening the night, progress, how it ended. Does not belong here: any step of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from rich.console import Console

from tanhuan import ledger
from tanhuan.airflow_api import AirflowApi
from tanhuan.contracts import FEEDS
from tanhuan.follow import ENDED, REFRESH, Follower
from tanhuan.settings import Settings


@dataclass
class NightResult:
    """How a night ended: whether it was published, how long it took, and the sentences of what failed."""

    published: bool
    seconds: float
    failures: list[str] = field(default_factory=list)


def run_night(api: AirflowApi, key: dt.date, settings: Settings, console: Console) -> NightResult:
    """Open a night, print each step as it ends, and wait until it is published or cannot be."""
    since = dt.datetime.now(dt.UTC)
    follower = Follower(api, settings, console)
    news = _News(api, since, key, settings, follower)
    api.trigger("night", key.isoformat())
    follower.wait(
        f"The night of {key}",
        lambda: _has_ended(api.list_runs(since, key.isoformat())),
        news.print,
        settings.night_timeout_s,
    )
    seconds = follower.seconds
    failures = follower.list_failures(lambda step: step.startswith(("pull_", REFRESH)))
    return NightResult(api.list_runs(since, key.isoformat()).get(REFRESH) == "success", seconds, failures)


def _has_ended(runs: dict[str, str]) -> bool:
    if REFRESH in runs:
        return runs[REFRESH] in ENDED
    feeds = [runs.get(f"pull_{feed}") for feed in FEEDS]
    return all(state in ENDED for state in feeds) and "failed" in feeds


class _News:
    """Prints what has changed since it last looked."""

    def __init__(
        self, api: AirflowApi, since: dt.datetime, key: dt.date, settings: Settings, follower: Follower
    ) -> None:
        self._api, self._since, self._key, self._settings, self._follower = api, since, key, settings, follower
        self._told: set[tuple[str, str, int]] = set()

    def print(self) -> None:
        tasks = self._api.list_tasks(self._since)
        for task in tasks:
            identity = (task["dag_id"], task["task_id"], task["try_number"])
            if task["state"] in ("success", "failed", "up_for_retry", "skipped") and identity not in self._told:
                self._told.add(identity)
                mark = _MARKS.get(task["state"], "·")
                self._follower.print(f"{mark} {task['dag_id']}.{task['task_id']}", task["duration"])
        if self._follower.is_quiet:
            running = ", ".join(f"{t['dag_id']}.{t['task_id']}" for t in tasks if t["state"] == "running")
            landed = sum(1 for _ in self._settings.landing.glob(f"*/dt={self._key}/*/receipt.json"))
            judged = len(ledger.list_names("loads", self._settings))
            self._follower.print(f"… {running or 'waiting'} [dim]({landed} loads landed, {judged} judged)[/]")


_MARKS = {"success": "[green]✓[/]", "failed": "[red]✗[/]", "up_for_retry": "[yellow]↻[/]"}
