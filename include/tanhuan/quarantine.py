"""Quarantine: refused rows as they were received, with every reason, waiting for a person."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tanhuan.lake import write_rows
from tanhuan.landing import Load
from tanhuan.settings import Settings


def quarantine_path(load: Load, settings: Settings) -> Path:
    """Return where the refused rows of a load lie."""
    return settings.quarantine / load.table / f"dt={load.key}" / f"{load.load_id}.parquet"


def write_refused(
    con: duckdb.DuckDBPyConnection, judged: str, load: Load, settings: Settings, batch_reason: str | None
) -> Path:
    """Keep refused rows; with a `batch_reason` every row of the batch is kept, since none was admitted.

    Columns: load_id, table_name, source_file, source_row, row_json (as received), reason_ids, detail, state.
    """
    target = quarantine_path(load, settings)
    detail = "null" if batch_reason is None else "'" + batch_reason.replace("'", "''") + "'"
    which = "len(_refused_by) > 0" if batch_reason is None else "true"
    write_rows(
        con,
        f"""
        select
            '{load.load_id}' as load_id,
            '{load.table}' as table_name,
            _source_file as source_file,
            _source_row as source_row,
            to_json(_received)::varchar as row_json,
            _refused_by as reason_ids,
            {detail}::varchar as detail,
            'held' as state
        from {judged}
        where {which}
        order by _source_file, _source_row
        """,
        target,
    )
    return target
