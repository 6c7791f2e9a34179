"""From payloads to a staged batch: what every form of a feed has in common.

A form's reader brings texts; here they become typed rows with a business day and a hash. Belongs here: the shape of a
payload, of a reader's answer and of the staged table. Does not belong here: how a form looks, or what a value may be.

A staged table holds the contract's columns, typed, then `business_date` (NULL for snapshots and unreadable days),
`_source_file`, `_source_row` (as a person counts; a byte offset in packet archives), `_ordinal` (tells apart rows that
share a place, such as the factors of one packet), `_row_hash` (of what the row says, whatever the form it came in),
`_unfit` (names of columns whose text does not fit their type; the value is NULL) and `_flags` (oddities the reader
accepted).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import duckdb
import zstandard

from tanhuan.contracts import Column, Contract, Text

#: tables of one reading, in a database of its own; `staged` is seen by every connection to it
STAGED, RECEIVED, UNREADABLE = "staged", "received", "unreadable"
#: what tells a row of `staged` and its original in `received` from all others
PLACE = "_source_file, _source_row, _ordinal"


@dataclass(frozen=True)
class Payload:
    """One file as it was received: where its bytes lie, what the sender called it, when it came.

    `is_synthetic`: the sender says that what it holds is invented; the form itself cannot tell.
    """

    path: Path
    name: str
    fetched_at: dt.datetime
    is_synthetic: bool = False


@dataclass(frozen=True)
class Form:
    """One way the field sends rows.

    `stage` creates three relations in a connection and returns the contract's columns that arrived and names of others:
    `staged` (see above), `received` (the same place and `_ordinal`, `_raw`: the row as it came) and `unreadable`
    (`_source_file`, `_source_row`, `_raw`, `reason_id`, `detail`: pieces that never became rows).
    `supersedes`: within one load a later row of the same key replaces an earlier one, as in a recording; elsewhere two
    rows of one key contradict each other. `names_columns`: the source names every column of the contract, so one that
    it does not name has drifted. `by_row`: a load may hold any part of a day, so that it is compared with the lake row
    by row; elsewhere it holds whole days. `faults` says what the reader's ids mean.
    """

    name: str
    extension: str
    stage: Callable[[duckdb.DuckDBPyConnection, Contract, list[Payload]], Arrived]
    supersedes: bool = False
    names_columns: bool = False
    by_row: bool = False
    faults: Mapping[str, Text] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrived:
    """Which of the contract's columns a load brought, names of others, and what else a person should know."""

    columns: frozenset[str]
    unknown: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


TextReader = Callable[[duckdb.DuckDBPyConnection, Contract, list[Payload], str, str], set[str]]


def stage_texts(read_rows: TextReader) -> Callable[[duckdb.DuckDBPyConnection, Contract, list[Payload]], Arrived]:
    """Make a reader of texts into the `stage` of a form."""

    def stage(con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Payload]) -> Arrived:
        columns = read_rows(con, contract, payloads, "texts", UNREADABLE)
        if invented := [payload.path.name for payload in payloads if payload.is_synthetic]:
            con.execute("update texts set data_basis = 'synthetic' where list_contains($1, _source_file)", [invented])
        kept = ", ".join(f"{name}: {name}" for name in contract.names if name in columns)
        numbered = "(select *, rowid as _ordinal from texts)"
        con.execute(
            f"create or replace temp view {RECEIVED} as "
            f"select {PLACE}, coalesce(_raw, to_json({{{kept}}})::varchar) as _raw from {numbered}"
        )
        con.execute(
            f"create or replace table {STAGED} as "
            f"select {select_typed(contract, columns)}, {PLACE}, _flags from {numbered}"
        )
        return Arrived(frozenset(columns), notes=_describe_others(con))

    return stage


def _describe_others(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return what a recording holds beside rows: `texts_other(kind, pieces, bytes)`, if its reader tells."""
    if not con.execute("select 1 from duckdb_tables() where table_name = 'texts_other'").fetchall():
        return ()
    found = con.execute("select kind, pieces, bytes from texts_other order by kind").fetchall()
    return tuple(f"beside rows: {pieces} × {kind}, {size} bytes" for kind, pieces, size in found)


#: when a text may be cast to a type. A cast alone repairs too much: 2021.5 would become the year 2022, 0x10 a 16,
#: 21-3-5 the year 21, and a date would lose its hour
_LOOKS = {
    "INTEGER": r"regexp_full_match({0}, '[+-]?\d+(\.0+)?')",
    "DECIMAL": r"regexp_full_match({0}, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')",
    "DATE": r"regexp_full_match({0}, '\d{{4}}-\d{{2}}-\d{{2}}([ T]00:00(:00)?.*)?')",
    # Long enough to name an hour and a minute, and what the cast itself refuses; every hourly row pays for this.
    "TIMESTAMPTZ": "length({0}) > 15",
    "BOOLEAN": "regexp_full_match({0}, '(?i)true|false')",
}


def select_typed(contract: Contract, arrived: Set[str], typed: Set[str] = frozenset()) -> str:
    """Return the select list that makes a relation of texts typed rows, with business day, hash and unfit columns.

    Args:
        arrived: the contract's columns that the relation has; others are NULL, or what a list without them means.
        typed: those that have their type already.
    """
    texts = [c for c in contract.columns if c.name in arrived - typed and c.type != "VARCHAR"]
    value = {c.name: c.name if c.name in arrived else _say_unsaid(c) for c in contract.columns}
    value |= {c.name: _read_text(c) for c in texts}
    unfit = {c.name: f"case when {c.name} is not null and {value[c.name]} is null then" for c in texts}
    names = [f"{case} '{name}' end" for name, case in unfit.items()]
    wrong = [f"{unfit[name]} {name} end" if name in unfit else "null" for name in contract.names]
    columns = [f"{value[c.name]} as {c.name}" for c in contract.columns]
    return (
        f"{', '.join(columns)}, {_select_day(contract, value)} as business_date, "
        # Over the typed values, so that 1.5 and 1.50 are the same row in any form; what does not fit goes by its text.
        f"hash({', '.join(value.values())}, {_list_places(wrong, names)}) as _row_hash, {_list_set(names)} as _unfit"
    )


def _say_unsaid(column: Column) -> str:
    unsaid = "null" if column.unsaid is None else "'" + column.unsaid.replace("'", "''") + "'"
    return f"{unsaid}::{column.type}"


def _read_text(column: Column) -> str:
    looks = _LOOKS[column.type.partition("(")[0]].format(column.name)
    return f"case when {looks} then try_cast({column.name} as {column.type}) end"


def _list_places(texts: list[str], names: list[str]) -> str:
    """Return the unfit texts, each in its column's place; NULL if all fit, as where nothing is read as text."""
    if not names:
        return "null::varchar[]"
    return f"case when len({_list_set(names)}) > 0 then [{', '.join(texts)}]::varchar[] end"


def _list_set(cases: list[str]) -> str:
    return f"list_filter([{', '.join(cases)}]::varchar[], lambda x: x is not null)" if cases else "[]::varchar[]"


def _select_day(contract: Contract, value: Mapping[str, str]) -> str:
    if contract.day is None:
        return "null::date"
    return f"cast({value[contract.day.column]}{contract.day.shift} as date)"


def create_unreadable(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty table of pieces that never became rows."""
    con.execute(
        f"create or replace temp table {UNREADABLE} "
        "(_source_file varchar, _source_row bigint, _raw varchar, reason_id varchar, detail varchar)"
    )


def find_originals(con: duckdb.DuckDBPyConnection, places: str) -> str:
    """Return `received` as a query of the rows that a relation of places names, and some others of the same number.

    A join alone would have DuckDB write every row as text before it drops all but a few; the numbers it is told first.
    """
    con.execute(f"set variable wanted_rows = (select coalesce(list(distinct _source_row), []) from {places})")
    return f"(from {RECEIVED} where _source_row in getvariable('wanted_rows'))"


@contextmanager
def open_payload(path: Path) -> Iterator[IO[bytes]]:
    """Open a payload's bytes as they were sent, whether or not landing compressed them."""
    with path.open("rb") as file:
        if path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(file) as stream:
                yield stream
        else:
            yield file
