"""A warehouse filled by hand: a few rows of a few tables, and the models above them, without pulling a night."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tanhuan.contracts import load_contracts
from tanhuan.duck import open_warehouse
from tanhuan.settings import Settings
from tanhuan.warehouse.build import run_dbt
from tanhuan.warehouse.load import load_lake

NIGHT = dt.date(2026, 11, 23)


def create_warehouse(settings: Settings) -> None:
    """Create empty `raw` and `ops` tables and the seeds."""
    load_lake(NIGHT, settings)
    run_dbt(["seed", "--select", "credit_grade", "credit_level_rule"], settings)


def add_snapshot(settings: Settings, load_id: str, table: str, rows: list[dict[str, Any]]) -> None:
    """Add rows as one admitted snapshot; what a row does not name is NULL, its data basis is synthetic."""
    feed = load_contracts()[table].feed
    with open_warehouse(settings) as con:
        con.execute(
            "insert into ops.ops_load by name select $1 as load_id, $2 as feed, $3 as table_name, "
            "$4::date as night_date, $4::date as first_date, $4::date as last_date, 'night' as kind, 'pages' as form, "
            "'admitted' as state, $5 as received_count, $5 as admitted_count, 0 as quarantined_count, "
            "0 as unchanged_count, 1 as day_count, []::varchar[] as notes, now() as recorded_at",
            [load_id, feed, table, NIGHT, len(rows)],
        )
        for number, row in enumerate(rows, start=1):
            whole = {"data_basis": "synthetic", "_load_id": load_id, "_source_file": "by hand", "_source_row": number}
            named = whole | row
            values = ", ".join(f"${i} as {name}" for i, name in enumerate(named, start=1))
            con.execute(f"insert into raw.{table} by name select {values}", list(named.values()))


def build_models(settings: Settings, *models: str) -> None:
    """Build models and everything below them."""
    run_dbt(["run", "--select", *(f"+{model}" for model in models)], settings)


def fetch(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the warehouse."""
    with open_warehouse(settings, read_only=True) as con:
        return con.execute(sql).fetchall()
