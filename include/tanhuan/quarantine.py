"""Quarantine: what was refused, as it was received, with every reason, waiting for a person."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tanhuan.formats.rows import PLACE, RECEIVED, UNREADABLE
from tanhuan.lake import write_rows
from tanhuan.landing import Load
from tanhuan.settings import Settings


def quarantine_path(load: Load, settings: Settings) -> Path:
    """Return where the refused rows of a load lie."""
    return settings.quarantine / load.table / f"dt={load.key}" / f"{load.load_id}.parquet"


def write_refused(
    con: duckdb.DuckDBPyConnection, judged: str, load: Load, settings: Settings, batch_reason: str | None
) -> Path:
    """Keep refused rows and unreadable pieces; with a `batch_reason` every row is kept, since none was admitted.

    Columns: load_id, table_name, source_file, source_row, row_json (as received), reason_ids, detail, state.
    """
    target = quarantine_path(load, settings)
    detail = "null" if batch_reason is None else "'" + batch_reason.replace("'", "''") + "'"
    which = "len(judged._refused_by) > 0" if batch_reason is None else "true"
    write_rows(
        con,
        f"""
        with refused as (
            select
                judged._source_file, judged._source_row, received._raw, judged._refused_by, {detail}::varchar as detail
            from {judged} as judged
            left join {RECEIVED} as received using ({PLACE})
            where {which}
            union all
            select _source_file, _source_row, _raw, [reason_id], detail from {UNREADABLE}
        )
        select
            '{load.load_id}' as load_id,
            '{load.table}' as table_name,
            _source_file as source_file,
            _source_row as source_row,
            coalesce(_raw, '') as row_json,
            _refused_by as reason_ids,
            detail,
            'held' as state
        from refused
        order by _source_file, _source_row
        """,
        target,
    )
    return target
