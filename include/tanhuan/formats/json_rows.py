"""JSON and Parquet as platforms send them: pages `{"total": …, "rows": [{…}, …]}`, JSON lines, Parquet exports.

DuckDB reads straight into the contract's types, in one pass. Only if some value does not fit is the batch read again
as texts, so that the gate can refuse that row with what was really sent.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from tanhuan.contracts import Contract
from tanhuan.formats.rows import (
    PLACE,
    RECEIVED,
    STAGED,
    Arrived,
    Payload,
    create_unreadable,
    select_typed,
)

#: A page is one JSON object of at most 64 MiB, the bound of the download. Saying so (`records`) spares DuckDB the
#: guessing, which costs ten times the reading.
_PAGE = "filename = true, format = 'unstructured', records = 'true', maximum_object_size = 67108864"
#: landing's folders look like partitions of a table, which they are not
_FLAT = "hive_partitioning = false"
_LINES = "format = 'newline_delimited', records = 'true'"
#: rows in which the names of columns are looked for; a column without any value may still be named in the first ones
_NAMING_ROWS = 1000

#: what is read straight into its type, if it is sent as a number: of 2021.5 an INTEGER would make 2022, and a moment
#: without an offset would be taken for UTC
_EXACT = ("DECIMAL", "VARCHAR")
_LONG_NAME = "TIMESTAMP WITH TIME ZONE"

#: returns the SQL that reads columns of these types
_Source = Callable[[dict[str, str]], str]


def stage_pages(con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Payload]) -> Arrived:
    """Stage the pages of a JSON API; `_source_row` counts from 1 in each page."""
    files = f"[{', '.join(_quote(str(p.path)) for p in payloads)}]"
    position = "parse_filename(filename) as _source_file, generate_subscripts(rows, 1)::bigint as _source_row"
    position += ", _source_row as _ordinal"

    def read_pages(types: dict[str, str]) -> str:
        structure = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        columns = f"columns = {{'rows': 'STRUCT({structure})[]'}}"
        return f"select unnest(rows, max_depth := 2), {position} from read_json({files}, {columns}, {_PAGE})"

    con.execute(
        f"create or replace temp view {RECEIVED} as select {position}, unnest(rows)::varchar as _raw "
        f"from read_json({files}, columns = {{'rows': 'JSON[]'}}, {_PAGE})"
    )
    _stage(con, contract, read_pages, STAGED, f", {PLACE}")
    return _find_columns(con, contract)


def stage_lines(con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Payload]) -> Arrived:
    """Stage an export of JSON lines; `_source_row` is the line."""
    [payload] = payloads
    file, name = _quote(str(payload.path)), _quote(payload.path.name)

    def read_lines(types: dict[str, str]) -> str:
        columns = ", ".join(f"{_quote(name)}: '{kind}'" for name, kind in types.items())
        return f"select * from read_json({file}, columns = {{{columns}}}, {_LINES})"

    con.execute(
        f"create or replace temp view {RECEIVED} as select {name} as _source_file, "
        f"row_number() over () as _source_row, _source_row as _ordinal, json::varchar as _raw "
        f"from read_json_objects({file}, format = 'newline_delimited')"
    )
    # Lines are not numbered while they are read: that would keep DuckDB to one thread. A table keeps their order.
    _stage(con, contract, read_lines, "lines", "")
    con.execute(
        f"create or replace view {STAGED} as "
        f"select *, {name} as _source_file, rowid + 1 as _source_row, rowid + 1 as _ordinal from lines"
    )
    return _find_columns(con, contract)


def stage_parquet(con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Payload]) -> Arrived:
    """Stage a Parquet export; `_source_row` is the row, counted from 1. A column of another type is read as text."""
    [payload] = payloads
    file, name = _quote(str(payload.path)), _quote(payload.path.name)
    position = f"{name} as _source_file, file_row_number + 1 as _source_row, file_row_number + 1 as _ordinal"
    described = con.execute(f"describe select * from read_parquet({file}, {_FLAT})").fetchall()
    found = {column: "TIMESTAMPTZ" if kind == _LONG_NAME else kind for column, kind, *_ in described}
    typed = {c.name for c in contract.columns if found.get(c.name) == c.type}
    shown = ", ".join(n if n in typed else f"{n}::varchar as {n}" for n in contract.names if n in found)
    create_unreadable(con)
    con.execute(
        f"create or replace table {STAGED} as "
        f"select {select_typed(contract, found.keys(), typed)}, {PLACE}, []::varchar[] as _flags "
        f"from (select {shown}, {position} from read_parquet({file}, {_FLAT}, file_row_number = true))"
    )
    row = ", ".join(f'"{column}": "{column}"' for column in found)
    con.execute(
        f"create or replace temp view {RECEIVED} as select {position}, to_json({{{row}}})::varchar as _raw "
        f"from read_parquet({file}, {_FLAT}, file_row_number = true)"
    )
    return _sort_names(contract, set(found))


def _stage(con: duckdb.DuckDBPyConnection, contract: Contract, read: _Source, target: str, place: str) -> None:
    """Create the staged table: numbers and moments straight into their types, unless some value does not fit."""
    create_unreadable(con)
    columns = frozenset(contract.names)
    exact = frozenset(c.name for c in contract.columns if c.type.partition("(")[0] in _EXACT)
    for typed in (exact, frozenset()) if _are_numbers(con, contract) else (frozenset(),):
        types = {c.name: c.type if c.name in typed else "VARCHAR" for c in contract.columns}
        try:
            con.execute(
                f"create or replace table {target} as "
                f"select {select_typed(contract, columns, typed)}{place}, []::varchar[] as _flags from ({read(types)})"
            )
        except (duckdb.ConversionException, duckdb.InvalidInputException):
            if not typed:
                raise
        else:
            return


def _are_numbers(con: duckdb.DuckDBPyConnection, contract: Contract) -> bool:
    """Tell by the first rows whether decimals come as JSON numbers; a cast would take `true` and `1_000` for some."""
    decimals = [c.name for c in contract.columns if c.type.startswith("DECIMAL")]
    strange = " or ".join(f"json_type(_raw, '$.{name}') in ('VARCHAR', 'BOOLEAN')" for name in decimals) or "false"
    found = con.execute(f"select bool_or({strange}) from (select _raw from {RECEIVED} limit {_NAMING_ROWS})").fetchone()
    return found is not None and not found[0]


def _find_columns(con: duckdb.DuckDBPyConnection, contract: Contract) -> Arrived:
    """Return the columns that hold a value or are named in the first rows."""
    counts = con.execute(f"select {', '.join(f'count({n})' for n in contract.names)} from {STAGED}").fetchone()
    assert counts is not None
    filled = {name for name, count in zip(contract.names, counts, strict=True) if count}
    named = con.execute(
        f"select distinct unnest(json_keys(_raw)) from (select _raw from {RECEIVED} limit {_NAMING_ROWS})"
    ).fetchall()
    return _sort_names(contract, filled | {name for (name,) in named})


def _sort_names(contract: Contract, names: set[str]) -> Arrived:
    known = frozenset(contract.names)
    return Arrived(frozenset(names) & known, frozenset(names) - known)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
