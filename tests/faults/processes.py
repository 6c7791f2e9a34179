"""Real processes that do a step of a night and are killed with SIGKILL at a moment of the test's choosing.

They are forked from a server process that has the heavy libraries loaded, as Airflow's tasks are: a kill then meets the
work, and not the import of Great Expectations.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tanhuan.admit import admit_loads
from tanhuan.landing import Load
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import publish

_TIMEOUT_S = 120

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__, "tanhuan.gates.engine", "dbt.cli.main"])


def admit(loads: list[Load], settings: Settings) -> None:
    for load in loads:
        admit_loads([load], settings)


def load(key: dt.date, settings: Settings) -> None:
    load_lake(key, settings)


def build_marts(settings: Settings) -> None:
    build(settings)


def publish_marts(key: dt.date, settings: Settings) -> None:
    publish(key, settings)


def run(step: Callable[..., None], *arguments: Any) -> float:
    """Let a step run to its end in a process of its own; return the seconds from its start."""
    return _start(step, arguments, None)[1]


def kill(step: Callable[..., None], *arguments: Any, after_s: float) -> bool:
    """Start a step, kill its process after so many seconds of work; tell whether it was cut short."""
    return _start(step, arguments, after_s)[0] == -signal.SIGKILL


def _start(step: Callable[..., None], arguments: tuple[Any, ...], after_s: float | None) -> tuple[int | None, float]:
    begun, wakes = _context.Pipe(duplex=False)
    process = _context.Process(target=_work, args=(wakes, step, arguments))
    process.start()
    wakes.close()
    begun.recv()
    started = time.monotonic()
    process.join(_TIMEOUT_S if after_s is None else after_s)
    if after_s is not None:
        process.kill()
        process.join()
    seconds = time.monotonic() - started
    assert process.exitcode in (0, -signal.SIGKILL), f"{step.__name__} failed by itself: {process.exitcode}"
    assert after_s is not None or process.exitcode == 0, f"{step.__name__} does not end"
    return process.exitcode, seconds


def _work(begun: Any, step: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    begun.send("begun")
    step(*arguments)


def list_temporaries(root: Path) -> list[Path]:
    """Return what writers left behind under names that no reader looks for."""
    return [p for p in root.rglob(".*") if p.name.endswith(".tmp")]
