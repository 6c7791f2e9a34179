"""Pages of a JSON API (`{"total": …, "rows": [{…}, …]}`) as typed rows, read in one pass by DuckDB.

A value that does not fit its contract type becomes NULL in its typed column and stays as received in `_received`,
so that the gate can refuse the row with the original text.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from tanhuan.contracts import Contract

#: A page is one JSON object of at most 64 MiB, the bound of the download. Saying so (`records`) spares DuckDB the
#: guessing, which costs ten times the reading.
_PAGE = "filename = true, format = 'unstructured', records = 'true', maximum_object_size = 67108864"


def read_column_names(con: duckdb.DuckDBPyConnection, payloads: list[Path]) -> set[str]:
    """Return the keys of the first row that has arrived, empty if there is no row."""
    found = con.execute(
        f"select json_keys(rows[1]) from read_json($file, columns = {{'rows': 'JSON[]'}}, {_PAGE}) where len(rows) > 0",
        {"file": str(payloads[0])},
    ).fetchone()
    return set(found[0]) if found else set()


def stage_rows(
    con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Path], target: str, fetched_at: str
) -> int:
    """Create the temporary table `target` from payload files and return its number of rows.

    Columns: those of the contract, typed; `business_date` (NULL where the day column is unreadable; for snapshots
    NULL throughout, the caller knows the night); `_received` (struct of texts as sent), `_source_file`,
    `_source_row` (1-based in its file), `_fetched_at`, `_row_hash` (md5 of the received texts).
    """
    received = ", ".join(f"{name} VARCHAR" for name in contract.names)
    typed = ",\n".join(f"try_cast(_received.{c.name} as {c.type}) as {c.name}" for c in contract.columns)
    con.execute(
        f"""
        create or replace temp table {target} as
        with received as (
            select
                parse_filename(filename) as _source_file,
                unnest(rows) as _received,
                generate_subscripts(rows, 1) as _source_row
            from read_json($files, columns = {{'rows': 'STRUCT({received})[]'}}, {_PAGE})
        ),
        typed as (
            select {typed}, _received, _source_file, _source_row from received
        )
        select
            *,
            {_business_date(contract)} as business_date,
            $fetched_at::timestamptz as _fetched_at,
            md5(to_json(_received)) as _row_hash
        from typed
        """,
        {"files": [str(p) for p in payloads], "fetched_at": fetched_at},
    )
    counted = con.execute(f"select count(*) from {target}").fetchone()
    assert counted is not None
    return int(counted[0])


def _business_date(contract: Contract) -> str:
    if contract.day is None:
        return "null::date"
    # Ambient air labels the end of the hour: 00:00 belongs to the day before (GB 3095, HJ 663-2013 A.1).
    shift = " - interval 1 hour" if contract.day.label == "end" else ""
    return f"cast({contract.day.column}{shift} as date)"
