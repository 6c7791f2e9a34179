"""Lake → `raw.*`: every admitted load that the warehouse has not seen, in one transaction.

Work grows with what is new: the ledger says which files there are, history is not read again.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict

import duckdb

from tanhuan import ledger
from tanhuan.contracts import Contract, load_contracts
from tanhuan.duck import open_warehouse
from tanhuan.errors import BuildFailed
from tanhuan.lake import PROVENANCE
from tanhuan.settings import Settings
from tanhuan.warehouse.assessments import load_assessments
from tanhuan.warehouse.ops import sync_ops

log = logging.getLogger(__name__)

_PROVENANCE_TYPES = dict(zip(PROVENANCE, ("VARCHAR", "VARCHAR", "BIGINT", "TIMESTAMPTZ", "VARCHAR"), strict=True))


def load_lake(key: dt.date, settings: Settings) -> dict[str, int]:
    """Load what was admitted since the last time; return the new rows by table.

    `raw.night` never goes back: a night made up for later restates its days, readers keep their newest date.
    `raw.changed_day` keeps the days that a build has not taken in yet, across failed builds.
    """
    with open_warehouse(settings) as con:
        _create_raw(con)
        _set_night(con, key)
        sync_ops(con, settings)
        new = [
            name
            for (name,) in con.execute(
                "select load_id from ops.ops_load where load_id not in (select load_id from raw.loaded) order by 1"
            ).fetchall()
        ]
        rows = _insert_loads(con, new, settings)
        load_assessments(con, settings)
    log.info("loaded %d loads: %s", len(new), rows or "nothing new")
    return rows


def list_missing_tables(key: dt.date, settings: Settings) -> list[str]:
    """Return the feed tables that did not arrive well for a night."""
    with open_warehouse(settings, read_only=True) as con:
        arrived = {
            name
            for (name,) in con.execute(
                "select distinct table_name from ops.ops_load "
                "where night_date = ? and kind = 'night' and state <> 'refused'",
                [key],
            ).fetchall()
        }
    return [table for table in load_contracts() if table not in arrived]


def _create_raw(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create schema if not exists raw")
    con.execute("create table if not exists raw.loaded (load_id varchar)")
    con.execute("create table if not exists raw.night (as_of date)")
    con.execute("create table if not exists raw.changed_day (table_name varchar, business_date date)")
    for contract in load_contracts().values():
        columns = ", ".join(f"{name} {kind}" for name, kind in _raw_columns(contract).items())
        con.execute(f"create table if not exists raw.{contract.table} ({columns})")
        _check_columns(con, contract)


def _raw_columns(contract: Contract) -> dict[str, str]:
    return {c.name: c.type for c in contract.columns} | {"business_date": "DATE"} | _PROVENANCE_TYPES


def _check_columns(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    found = [row[0] for row in con.execute(f"describe raw.{contract.table}").fetchall()]
    if found != list(_raw_columns(contract)):
        raise BuildFailed(
            f"table raw.{contract.table} has the columns of an earlier contract.",
            "run `tanhuan rebuild`: it makes the warehouse anew from the lake.",
        )


def _set_night(con: duckdb.DuckDBPyConnection, key: dt.date) -> None:
    con.execute(
        "create or replace table raw.night as "
        "select greatest($1::date, coalesce((select max(as_of) from raw.night), $1::date)) as as_of",
        [key],
    )


def _insert_loads(con: duckdb.DuckDBPyConnection, load_ids: list[str], settings: Settings) -> dict[str, int]:
    files: dict[str, list[str]] = defaultdict(list)
    for load_id in load_ids:
        event = ledger.read("loads", load_id, settings)
        files[event["table"]] += [str(settings.root / name) for name in event["files"].values()]
    rows = {}
    con.execute("begin")
    for table, paths in files.items():
        if paths:
            rows[table] = _insert_files(con, load_contracts()[table], paths)
    con.executemany("insert into raw.loaded values (?)", [[load_id] for load_id in load_ids]) if load_ids else None
    con.execute("commit")
    return rows


def _insert_files(con: duckdb.DuckDBPyConnection, contract: Contract, paths: list[str]) -> int:
    # By name: a file older than a column of the contract brings NULL for it.
    known = ", ".join(f"'{name}'" for name in (*contract.names, *PROVENANCE))
    columns = f"columns(lambda name: name in ({known}))"
    source = "read_parquet($files, hive_partitioning = true, hive_types = {'dt': DATE}, union_by_name = true)"
    parameters = {"files": paths}
    inserted = con.execute(
        f"insert into raw.{contract.table} by name select {columns}, dt as business_date from {source}", parameters
    ).fetchone()
    con.execute(f"insert into raw.changed_day select distinct '{contract.table}', dt from {source}", parameters)
    assert inserted is not None
    return int(inserted[0])
