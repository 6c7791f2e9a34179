"""The ledger: what happened, one small JSON per event, written once and never edited.

`ledger/loads/` says what became of every load, `ledger/gates/` what every gate run answered, `ledger/publications/`
which versions were published, `ledger/acts/` what people did with quarantined rows, `ledger/assessments/` which
assessments were frozen. `ledger/days/` is the one part that is state and not history: the last received content of a
table and day, so that an unchanged re-pull is recognised without looking through the past.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tanhuan.files import read_json, write_json
from tanhuan.settings import Settings

KINDS = ("loads", "gates", "publications", "steps", "backfills", "backfill_chunks", "acts", "assessments")


#: the name under which the state of a snapshot table is kept among the days
SNAPSHOT = "snapshot"


def record(kind: str, name: str, event: dict[str, Any], settings: Settings) -> Path:
    """Write one event; `name` is unique within its kind and sorts by time."""
    assert kind in KINDS, f"the ledger keeps {KINDS}, not {kind!r}"
    path = settings.ledger / kind / f"{name}.json"
    write_json(path, event)
    return path


def list_names(kind: str, settings: Settings) -> list[str]:
    """Return the names of all events of a kind in order of time, without reading them."""
    folder = settings.ledger / kind
    if not folder.exists():
        return []
    return sorted(path.stem for path in folder.iterdir() if path.suffix == ".json")


def read(kind: str, name: str, settings: Settings) -> dict[str, Any]:
    """Read one event."""
    return read_json(settings.ledger / kind / f"{name}.json")


def read_last(kind: str, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield events of a kind, newest first."""
    for name in reversed(list_names(kind, settings)):
        yield read(kind, name, settings)


def read_day(table: str, day: str, settings: Settings) -> dict[str, Any] | None:
    """Return what was last received for a table and day (`snapshot` for snapshot tables), or None."""
    path = settings.ledger / "days" / table / f"{day}.json"
    return read_json(path) if path.exists() else None


def write_day(table: str, day: str, state: dict[str, Any], settings: Settings) -> None:
    """Remember what was last received for a table and day."""
    write_json(settings.ledger / "days" / table / f"{day}.json", state)


def period_key(kind: str, first: dt.date | str) -> str:
    """Return the name under which a loaded period is remembered among the days, e.g. history-2025-01."""
    return f"{kind}-{str(first)[:7]}"
