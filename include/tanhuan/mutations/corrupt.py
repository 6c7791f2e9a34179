"""One batch, spoilt: what a platform sent becomes the table `rows`, a kind's SQL changes it, and it is sent again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from tanhuan.contracts import Column, Contract, get_contract
from tanhuan.duck import open_memory
from tanhuan.forms import PAGES
from tanhuan.known import find_known, show_known
from tanhuan.landing import Arrival, Load, list_payloads, new_load
from tanhuan.mutations.catalogue import Kind
from tanhuan.settings import Settings

#: columns of `rows` that are not sent
_OWN = ("_no", "_day")


class NoPlaceError(Exception):
    """A kind found nothing to spoil: the kind is wrong, not the gate."""


@dataclass(frozen=True)
class Spoilt:
    """A load that was sent anew: how many rows of it differ from the clean ones."""

    load: Load
    changed: int


def send_clean(load: Load, shown_as: str, night: dt.date, own: Settings) -> Load:
    """Send a night's rows again as they were, in the very way in which spoilt ones are sent."""
    with _show_rows(load, shown_as, own) as con:
        return _send(con, load, night, own)


def send_spoilt(kind: Kind, seed: int, load: Load, night: dt.date, own: Settings) -> Spoilt:
    """Spoil a night's rows and send them.

    Raises:
        NoPlaceError: the kind changed nothing.
    """
    with _show_rows(load, kind.shown_as, own) as con:
        give_chance(con, seed, night)
        if tables := find_known(kind.sql):
            scratch = own.root / f".known-{load.table}"
            show_known(con, tables, [night.isoformat()], scratch, own)
        con.execute(kind.sql)
        changed = _count_changed(con)
        if not changed:
            raise NoPlaceError(f"kind {kind.id}, seed {seed}: no place found in {load.table}")
        return Spoilt(_send(con, load, night, own), changed)


def give_chance(con: duckdb.DuckDBPyConnection, seed: int, night: dt.date) -> None:
    """Create `luck(x)`, a number from 0 to below 1 by seed and `x`, and `night()`."""
    con.execute(f"create temp macro luck(x) as hash(x, {int(seed)}) % 1000003 / 1000003.0")
    con.execute(f"create temp macro night() as date '{night}'")


@contextmanager
def _show_rows(load: Load, shown_as: str, own: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Create `rows` and the same again as `clean`."""
    contract = get_contract(load.table)
    assert load.form == PAGES, f"load {load.load_id} came as {load.form}; only pages are spoilt"
    files = [str(payload.path) for payload in list_payloads(load, own)]
    with open_memory() as con:
        structure = ", ".join(f'"{name}" varchar' for name in contract.names)
        con.execute(
            "create table clean as "
            f"select {', '.join(_show(c, shown_as) for c in contract.columns)}, {_day(contract)} as _day, "
            "row_number() over () as _no "
            "from (select unnest(rows, max_depth := 2) from read_json($files, filename = true, "
            f"columns = {{'rows': 'STRUCT({structure})[]'}}, format = 'unstructured', records = 'true', "
            "maximum_object_size = 67108864))",
            {"files": files},
        )
        con.execute("create table rows as from clean order by _no")
        yield con


def _show(column: Column, shown_as: str) -> str:
    if shown_as == "text" or column.type == "VARCHAR":
        return column.name
    kind = "DOUBLE" if column.type.startswith("DECIMAL") else column.type
    return f"try_cast({column.name} as {kind}) as {column.name}"


def _day(contract: Contract) -> str:
    """Return the business day of a row, as intake reads it."""
    if contract.day is None:
        return "null::date"
    return f"cast(try_cast({contract.day.column} as timestamptz){contract.day.shift} as date)"


def _count_changed(con: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows are new, changed or gone; a changed set of columns counts as every row."""
    columns = {name: [c for (c,) in con.execute(_DESCRIBE, [name]).fetchall()] for name in ("rows", "clean")}
    if columns["rows"] != columns["clean"]:
        [(count,)] = con.execute("select greatest(count(*), 1) from rows").fetchall()
        return int(count)
    sides = [f"select * exclude ({', '.join(_OWN)}) from {name}" for name in ("rows", "clean")]
    [(count,)] = con.execute(
        f"select greatest((select count(*) from ({sides[0]} except all {sides[1]})), "
        f"(select count(*) from ({sides[1]} except all {sides[0]})))"
    ).fetchall()
    return int(count)


_DESCRIBE = "select column_name from duckdb_columns() where table_name = $1 order by column_index"


def _send(con: duckdb.DuckDBPyConnection, load: Load, night: dt.date, own: Settings) -> Load:
    """Put `rows` into landing as one page of a new load that asks for the same days."""
    contract = get_contract(load.table)
    first, last = (dt.date.fromisoformat(day) for day in (load.first, load.last))
    if contract.mode == "snapshot":
        first = last = night
    anew = new_load(contract, night, first, last, "night", PAGES)
    described = con.execute(
        "select column_name, data_type from duckdb_columns() where table_name = 'rows' order by column_index"
    ).fetchall()
    numbers = {c.name for c in contract.columns if c.type.startswith("DECIMAL") or c.type == "INTEGER"}
    pairs = ", ".join(f"'{name}': {_say(name, kind, numbers)}" for name, kind in described if name not in _OWN)
    [(body, rows)] = con.execute(
        f"select to_json({{'total': count(*), 'rows': coalesce(list(sent order by _no), [])}})::varchar, count(*) "
        f"from (select _no, to_json({{{pairs}}}) as sent from rows)"
    ).fetchall()
    arrival = Arrival(anew, own, "mutation")
    arrival.keep("json", body.encode(), url=None, status=200, rows=rows, rows_stated=rows)
    arrival.close()
    return anew


def _say(name: str, kind: str, numbers: set[str]) -> str:
    """Return how a value of `rows` is written in JSON, as platforms do."""
    quoted = f'"{name}"'
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({quoted}, '%Y-%m-%dT%H:%M:%S') || '+08:00'"
    if kind == "DATE":
        return f"{quoted}::varchar"
    if kind == "VARCHAR" and name in numbers:
        return (
            f"case when json_valid({quoted}) and try_cast({quoted} as double) is not null then {quoted}::json "
            f"else to_json({quoted}) end"
        )
    return quoted
