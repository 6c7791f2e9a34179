"""The warehouse is disposable: this makes it again from the lake, checks it and publishes it."""

from __future__ import annotations

import datetime as dt
import itertools

import duckdb
from rich.console import Console

from tanhuan import ledger
from tanhuan.duck import open_warehouse
from tanhuan.errors import TanhuanError
from tanhuan.gates.mart_gate import check_marts
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.changes import find_changes
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import Publication, publish


def rebuild_warehouse(settings: Settings, console: Console) -> Publication:
    """Rebuild from the lake for the newest night in the ledger.

    Raises:
        TanhuanError: the lake is empty.
    """
    key = _find_newest_night(settings)
    _remove_warehouse(settings)
    steps = (
        ("load", lambda: load_lake(key, settings)),
        ("build", lambda: build(settings)),
        ("changes", lambda: find_changes(settings)),
    )
    for name, step in steps:
        console.print(f"  {name} … {step()}")
    console.print(f"  gate … {len(check_marts(key, settings))} checks passed")
    return publish(key, settings)


def _find_newest_night(settings: Settings) -> dt.date:
    """Return the date readers see: that of the last publication, or of a newer night that was only loaded."""
    dates = [event["key"] for event in itertools.islice(ledger.read_last("loads", settings), 1)]
    dates += [event["as_of"] for event in itertools.islice(ledger.read_last("publications", settings), 1)]
    if not dates:
        raise TanhuanError("There is nothing in the lake to rebuild from.", "run `tanhuan night` first.")
    return dt.date.fromisoformat(max(dates))


def _remove_warehouse(settings: Settings) -> None:
    """Remove the file, unless a refresh holds it: that would go on writing into a file nobody sees."""
    try:
        with open_warehouse(settings):
            settings.warehouse.unlink()
    except duckdb.IOException as exc:
        if "lock" not in str(exc):
            # Not held by anyone but damaged: what a rebuild is for.
            settings.warehouse.unlink()
            return
        raise TanhuanError(
            f"{settings.warehouse} is in use ({exc}).",
            "wait for refresh_indicators to end, or pause it, then try again.",
        ) from exc
