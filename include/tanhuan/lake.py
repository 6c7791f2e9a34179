"""The lake: admitted rows as Parquet, one file a load and day, never changed after it has appeared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from tanhuan.duck import quote
from tanhuan.files import sync_and_rename, temporary_name
from tanhuan.settings import Settings

#: columns every lake file has after those of its contract
PROVENANCE = ("_load_id", "_source_file", "_source_row", "_fetched_at", "_row_hash")

#: version 2 encodes differences and shared prefixes: smaller and faster to write than version 1, and leaves little for
#: a higher level of compression
_FORMAT = "format parquet, compression zstd, compression_level 1, parquet_version v2"


def lake_path(table: str, day: str, load_id: str, settings: Settings) -> Path:
    """Return where the admitted rows of one load and day lie."""
    return settings.lake / table / f"dt={day}" / f"{load_id}.parquet"


def write_rows(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write a query's rows to a Parquet file that appears whole or not at all."""
    temporary = temporary_name(target)
    con.execute(f"copy ({query}) to {quote(temporary)} ({_FORMAT})")
    sync_and_rename(temporary, target)


def write_days(con: duckdb.DuckDBPyConnection, columns: str, rows: str, day: str, scratch: Path) -> dict[str, Path]:
    """Write rows to one Parquet file a value of their column `day`; return the files by day.

    Days are written side by side, each by a connection of its own, so `rows` must not be temporary. That takes half
    the time of DuckDB's own partitioned copy, which first sorts all rows into heaps. The files lie in `scratch`.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    days = [str(found) for (found,) in con.execute(f"select distinct {day} from {rows} order by 1").fetchall()]

    def write_day(name: str) -> Path:
        file = scratch / f"{name}.parquet"
        with con.cursor() as own:
            own.execute(f"copy (select {columns} from {rows} where {day} = date '{name}') to {quote(file)} ({_FORMAT})")
        return file

    [(threads,)] = con.execute("select current_setting('threads')").fetchall()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return dict(zip(days, pool.map(write_day, days), strict=True))
