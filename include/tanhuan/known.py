"""What the lake already holds, shown to a gate as schema `known`, so that a batch is judged beside what came before.

One view a table: the contract's columns, `business_date` (NULL for snapshots), `_row_hash` as text; the newest row of
every key. A snapshot table shows what stands now, a window table the days around the batch. A table of which nothing
has been admitted is there, and empty. Work does not grow with history.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path

import duckdb

from tanhuan import ledger
from tanhuan.contracts import Contract, get_contract
from tanhuan.duck import quote
from tanhuan.lake import write_rows
from tanhuan.settings import Settings

SCHEMA = "known"
#: how many days before its own a batch may look back: two weeks have every weekday twice
DAYS_BACK = 14
_MENTIONED = re.compile(rf"\b{SCHEMA}\.(\w+)")


def find_known(*texts: str) -> list[str]:
    """Return the tables that SQL mentions as `known.<table>`, sorted."""
    return sorted({table for text in texts for table in _MENTIONED.findall(text)})


def show_known(
    con: duckdb.DuckDBPyConnection, tables: Iterable[str], days: list[str], scratch: Path, settings: Settings
) -> list[str]:
    """Return the statements that show tables as `known.<table>` in any connection of this machine; `con` has run them.

    Args:
        tables: names of contracts; those that the checks at hand mention.
        days: the batch's own days (ISO texts); for window tables the view reaches from 14 days before up to them.
        scratch: where the rows are put for the time of the gate.
    """
    statements = [f"create schema {SCHEMA}"]
    con.execute(statements[0])
    for table in tables:
        contract = get_contract(table)
        file = scratch / f"{table}.parquet"
        held = _write_known(con, contract, _list_files(contract, days, settings), file)
        source = f"read_parquet({quote(file)})" if held else f"(select {_list_nothing(contract)}) where false"
        statements.append(f"create view {SCHEMA}.{table} as select * from {source}")
        con.execute(statements[-1])
    return statements


def _list_files(contract: Contract, days: list[str], settings: Settings) -> list[str]:
    names = [ledger.SNAPSHOT] if contract.mode == "snapshot" else _list_days(days)
    states = (ledger.read_day(contract.table, name, settings) or {} for name in names)
    return [str(settings.root / file) for state in states for file in state.get("files", [])]


def _list_days(days: list[str]) -> list[str]:
    if not days:
        return []
    first, last = (dt.date.fromisoformat(day) for day in (min(days), max(days)))
    return list_days(first - dt.timedelta(days=DAYS_BACK), last)


def list_days(first: dt.date, last: dt.date) -> list[str]:
    """Return all days from one to another as ISO texts."""
    return [(first + dt.timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def _write_known(con: duckdb.DuckDBPyConnection, contract: Contract, files: list[str], target: Path) -> bool:
    if not files:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(map(quote, files))
    kept = ", ".join(f"'{name}'" for name in (*contract.names, "_load_id"))
    day = "try_cast(dt as date)" if contract.mode == "window" else "null::date"
    write_rows(
        con,
        f"""
        with lake as (
            -- By name: a file older than a column of the contract has no value in it.
            select {_list_nothing(contract)}, null::varchar as _load_id where false
            union all by name
            select columns(lambda name: name in ({kept})), {day} as business_date, _row_hash::varchar as _row_hash
            from read_parquet([{listed}], union_by_name = true, hive_partitioning = true, hive_types_autocast = false)
        )
        select * exclude (_load_id) from lake
        qualify row_number() over (partition by {", ".join(contract.key)} order by _load_id desc) = 1
        """,
        target,
    )
    return True


def _list_nothing(contract: Contract) -> str:
    columns = [(c.name, c.type) for c in contract.columns] + [("business_date", "DATE"), ("_row_hash", "VARCHAR")]
    return ", ".join(f"null::{kind} as {name}" for name, kind in columns)
