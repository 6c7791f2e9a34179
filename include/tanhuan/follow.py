"""Following from a terminal what Airflow does: lines as things happen, and an end if Airflow is lost.

Belongs here: waiting, printing, which failures count. Does not belong here: what is waited for (night_run.py,
backfill_run.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tanhuan import ledger
from tanhuan.airflow_api import AirflowApi
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings

#: the DAG that every night and every backfill ends with
REFRESH = "refresh_indicators"
#: states of a DAG run that does nothing any more
ENDED = ("success", "failed")

_POLL_S = 0.25
_NEWS_S = 5.0
#: Airflow itself calls a scheduler unhealthy half a minute after its last sign of life
_UNHEALTHY_S = 60.0


class Follower:
    """Waits for what Airflow does and prints lines with the seconds since it began."""

    def __init__(self, api: AirflowApi, settings: Settings, console: Console) -> None:
        self._api, self._settings, self._console = api, settings, console
        self._clock = self._last_line = self._last_healthy = time.monotonic()
        self._known_steps = set(ledger.list_names("steps", settings))

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._clock

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has been printed for a while."""
        return time.monotonic() - self._last_line > _NEWS_S

    def wait(
        self, subject: str, has_ended: Callable[[], bool], print_news: Callable[[], None], timeout_s: float
    ) -> None:
        """Print news until the subject has ended.

        Raises:
            TanhuanError: it takes longer than `timeout_s`, or Airflow has not been healthy for a minute.
        """
        deadline = time.monotonic() + timeout_s
        while not has_ended():
            print_news()
            is_lost = self._has_lost_airflow()
            if is_lost or time.monotonic() > deadline:
                raise TanhuanError(
                    f"{subject} did not end: Airflow {'is not healthy' if is_lost else 'still works on it'} "
                    f"after {self.seconds:.0f} s.",
                    f"read the logs in {self._settings.airflow_home}; what is published stays; start it again.",
                )
            time.sleep(_POLL_S)
        print_news()

    def print(self, text: str, duration: float | None = None) -> None:
        """Print a line, with how long its subject took."""
        self._last_line = time.monotonic()
        took = "" if duration is None else f" [dim]{duration:.1f} s[/]"
        self._console.print(f"  [dim]{self.seconds:6.1f} s[/]  {text}{took}")

    def list_steps(self, is_ours: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Return the last record of each step (`is_ours` tells by name) that was taken since it began."""
        names = [name for name in ledger.list_names("steps", self._settings) if name not in self._known_steps]
        steps = [ledger.read("steps", name, self._settings) for name in names]
        return list({step["step"]: step for step in steps if is_ours(step["step"])}.values())

    def list_failures(self, is_ours: Callable[[str], bool]) -> list[str]:
        """Return the sentences of steps that failed and were not mended by a later try."""
        return [f"{step['step']}: {step['error']}" for step in self.list_steps(is_ours) if step["error"]]

    def _has_lost_airflow(self) -> bool:
        """Tell whether Airflow has not been healthy for longer than a slow moment."""
        if self._api.is_healthy():
            self._last_healthy = time.monotonic()
        return time.monotonic() - self._last_healthy > _UNHEALTHY_S
