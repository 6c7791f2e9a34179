"""One whole night through the real DAGs, followed from outside: what `tanhuan night` does.

Belongs here: opening the night, progress, how it ended. Does not belong here: any step of it.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field

from rich.console import Console

from tanhuan import ledger
from tanhuan.airflow_api import AirflowApi
from tanhuan.contracts import FEEDS
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings

_POLL_S = 0.25
_NEWS_S = 5.0
#: Airflow itself calls a scheduler unhealthy half a minute after its last sign of life
_UNHEALTHY_S = 60.0
_REFRESH = "refresh_indicators"
_ENDED = ("success", "failed")


@dataclass
class NightResult:
    """How a night ended: whether it was published, how long it took, and the sentences of what failed."""

    published: bool
    seconds: float
    failures: list[str] = field(default_factory=list)


def run_night(api: AirflowApi, key: dt.date, settings: Settings, console: Console) -> NightResult:
    """Open a night, print each step as it ends, and wait until it is published or cannot be."""
    known_steps = set(ledger.list_names("steps", settings))
    since, clock = dt.datetime.now(dt.UTC), time.monotonic()
    api.trigger("night", key.isoformat())
    follower = _Follower(api, since, key, settings, console)
    while not _has_ended(api.list_runs(since, key.isoformat())):
        follower.print_news()
        if time.monotonic() - clock > settings.night_timeout_s or follower.has_lost_airflow():
            state = "is not healthy" if follower.has_lost_airflow() else "still works on it"
            raise TanhuanError(
                f"The night of {key} did not end: Airflow {state} after {time.monotonic() - clock:.0f} s.",
                f"read the logs in {settings.airflow_home}; what is published stays, and the night can be run again.",
            )
        time.sleep(_POLL_S)
    follower.print_news()
    seconds = time.monotonic() - clock
    steps = [ledger.read("steps", n, settings) for n in ledger.list_names("steps", settings) if n not in known_steps]
    failures = [f"{s['step']}: {s['error']}" for s in steps if s["error"] and _is_final(s, steps)]
    return NightResult(api.list_runs(since, key.isoformat()).get(_REFRESH) == "success", seconds, failures)


def _has_ended(runs: dict[str, str]) -> bool:
    if _REFRESH in runs:
        return runs[_REFRESH] in _ENDED
    feeds = [runs.get(f"pull_{feed}") for feed in FEEDS]
    return all(state in _ENDED for state in feeds) and "failed" in feeds


def _is_final(step: dict, steps: list[dict]) -> bool:
    """Tell whether a step's failure was not mended by a later try."""
    return not any(s["step"] == step["step"] and s["started_at"] > step["started_at"] for s in steps)


class _Follower:
    """Prints what has changed since it last looked."""

    def __init__(self, api: AirflowApi, since: dt.datetime, key: dt.date, settings: Settings, console: Console) -> None:
        self._api, self._since, self._key, self._settings, self._console = api, since, key, settings, console
        self._clock = self._last_news = time.monotonic()
        self._told: set[tuple[str, str, int]] = set()
        self._last_healthy = self._clock

    def has_lost_airflow(self) -> bool:
        """Tell whether Airflow has not been healthy for longer than a slow moment."""
        return time.monotonic() - self._last_healthy > _UNHEALTHY_S

    def print_news(self) -> None:
        if self._api.is_healthy():
            self._last_healthy = time.monotonic()
        tasks = self._api.list_tasks(self._since)
        for task in tasks:
            identity = (task["dag_id"], task["task_id"], task["try_number"])
            if task["state"] in ("success", "failed", "up_for_retry", "skipped") and identity not in self._told:
                self._told.add(identity)
                self._print(f"{_MARKS.get(task['state'], '·')} {task['dag_id']}.{task['task_id']}", task["duration"])
        if time.monotonic() - self._last_news > _NEWS_S:
            running = ", ".join(f"{t['dag_id']}.{t['task_id']}" for t in tasks if t["state"] == "running")
            landed = sum(1 for _ in self._settings.landing.glob(f"*/dt={self._key}/*/receipt.json"))
            judged = len(ledger.list_names("loads", self._settings))
            self._print(f"… {running or 'waiting'} [dim]({landed} loads landed, {judged} judged)[/]", None)

    def _print(self, text: str, duration: float | None) -> None:
        self._last_news = time.monotonic()
        took = "" if duration is None else f" [dim]{duration:.1f} s[/]"
        self._console.print(f"  [dim]{self._last_news - self._clock:6.1f} s[/]  {text}{took}")


_MARKS = {"success": "[green]✓[/]", "failed": "[red]✗[/]", "up_for_retry": "[yellow]↻[/]"}
