"""The lake: admitted rows as Parquet, one file a load and day, never changed after it has appeared."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tanhuan.contracts import Contract
from tanhuan.files import sync_and_rename, temporary_name
from tanhuan.settings import Settings

#: columns every lake file has after those of its contract
PROVENANCE = ("_load_id", "_source_file", "_source_row", "_fetched_at", "_row_hash")


def lake_path(table: str, day: str, load_id: str, settings: Settings) -> Path:
    """Return where the admitted rows of one load and day lie."""
    return settings.lake / table / f"dt={day}" / f"{load_id}.parquet"


def list_lake_columns(contract: Contract) -> str:
    """Return the columns of a lake file in order, as SQL."""
    return ", ".join((*contract.names, *PROVENANCE))


def write_rows(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write a query's rows to a Parquet file that appears whole or not at all."""
    temporary = temporary_name(target)
    con.execute(f"copy ({query}) to '{_quoted(temporary)}' (format parquet, compression zstd)")
    sync_and_rename(temporary, target)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
