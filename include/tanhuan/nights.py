"""A night is a partition: its key is the business date it reports on. And what each of its steps did.

Belongs here: which date a run is for, and the record of a step. Does not belong here: the steps themselves.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tanhuan import ledger
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings, now, yesterday


def resolve_key(partition_key: str | None, conf: Mapping[str, Any] | None) -> dt.date:
    """Return the date a run reports on: its partition key, else `date` of its configuration, else yesterday.

    Raises:
        TanhuanError: the date is malformed or has not ended yet.
    """
    text = partition_key or (conf or {}).get("date")
    if text is None:
        return yesterday()
    try:
        key = dt.date.fromisoformat(str(text))
    except ValueError as exc:
        raise TanhuanError(f"{text!r} is not a date.", "name the night as YYYY-MM-DD.") from exc
    if key > yesterday():
        raise TanhuanError(f"{key} is not over yet in Asia/Shanghai.", f"ask for {yesterday()} or an earlier date.")
    return key


@contextmanager
def record_step(name: str, key: dt.date, settings: Settings) -> Iterator[None]:
    """Record in the ledger how long a step of a night took and, if it failed, the sentence why."""
    started, clock, error = now(), time.monotonic(), None
    try:
        yield
    except BaseException as exc:
        # Also what ends a process from outside: a step that was broken off is no success.
        error = str(exc) or type(exc).__name__
        raise
    finally:
        event = {
            "step": name,
            "key": key.isoformat(),
            "started_at": started.isoformat(),
            "seconds": round(time.monotonic() - clock, 3),
            "state": "failed" if error is not None else "success",
            "error": error,
        }
        ledger.record("steps", f"{started:%Y%m%dT%H%M%S%f}-{name.replace('.', '-')}", event, settings)
