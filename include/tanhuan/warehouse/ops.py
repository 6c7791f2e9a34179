"""The night itself as tables: ledger events that the warehouse has not seen yet are added to schema `ops`."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tanhuan import ledger
from tanhuan.contracts import load_contracts
from tanhuan.quarantine import mark_rows, read_act
from tanhuan.settings import Settings
from tanhuan.warehouse.assessments import list_assessments

_DDL = Path(__file__).parent / "sql" / "ops.sql"

_INSERT_LOADS = """
insert into ops.ops_load
select
    load_id, feed, "table", key, kind, coalesce(form, 'pages'), "first", "last", state,
    -- Loads of earlier versions told rows and refused rows only.
    coalesce(received, rows),
    coalesce(admitted, if(state = 'admitted', rows - refused, 0)),
    coalesce(quarantined, refused),
    coalesce(unchanged, if(state = 'unchanged', rows, 0)),
    len(map_keys(files)), reason, notes, recorded_at
from read_json($files, columns = {
    'load_id': 'VARCHAR', 'feed': 'VARCHAR', 'table': 'VARCHAR', 'key': 'DATE', 'kind': 'VARCHAR', 'form': 'VARCHAR',
    'first': 'DATE', 'last': 'DATE', 'state': 'VARCHAR', 'received': 'BIGINT', 'admitted': 'BIGINT',
    'quarantined': 'BIGINT', 'unchanged': 'BIGINT', 'rows': 'BIGINT', 'refused': 'BIGINT',
    'files': 'MAP(VARCHAR, VARCHAR)',
    'reason': 'VARCHAR', 'notes': 'VARCHAR[]', 'recorded_at': 'TIMESTAMPTZ'
})
"""

_INSERT_GATES = """
insert into ops.ops_gate_result
with events as (
    select gate, subject, "table", key, recorded_at, unnest(checks) as c
    from read_json($files, columns = {
        'gate': 'VARCHAR', 'subject': 'VARCHAR', 'table': 'VARCHAR', 'key': 'DATE', 'recorded_at': 'TIMESTAMPTZ',
        'checks': 'STRUCT(id VARCHAR, "table" VARCHAR, level VARCHAR, severity VARCHAR, action VARCHAR, passed BOOLEAN,
            failed_rows BIGINT, failed_share DOUBLE, observed VARCHAR, samples VARCHAR[], zh VARCHAR, en VARCHAR)[]'
    })
)
select
    gate, subject, coalesce(c."table", "table"), key, c.id, c.level, c.severity, c.action, c.passed, c.failed_rows,
    c.failed_share, c.observed, c.samples, c.zh, c.en, recorded_at
from events
"""

_INSERT_RECONCILIATIONS = """
insert into ops.ops_reconciliation by name
select * from read_parquet($files)
"""

#: a night's last run stands, and the newest nights stay
_FORGET_RECONCILIATIONS = """
delete from ops.ops_reconciliation
where
    (night_date, recorded_at) not in (
        select (night_date, max(recorded_at)) from ops.ops_reconciliation group by night_date
    )
    or night_date not in (select distinct night_date from ops.ops_reconciliation order by night_date desc limit $kept)
"""

_INSERT_QUARANTINE = """
insert into ops.ops_quarantine by name
select load_id, table_name, source_file, source_row, row_json, reason_ids, detail, state from read_parquet($files)
"""

_INSERT_ACTS = """
insert into ops.ops_quarantine_act
select act_id, act, load_id, "table", rows, who, why, document, coalesce(accepted, []), result, recorded_at
from read_json($files, columns = {
    'act_id': 'VARCHAR', 'act': 'VARCHAR', 'load_id': 'VARCHAR', 'table': 'VARCHAR', 'rows': 'BIGINT',
    'who': 'VARCHAR', 'why': 'VARCHAR', 'document': 'VARCHAR', 'accepted': 'VARCHAR[]', 'result': 'VARCHAR',
    'recorded_at': 'TIMESTAMPTZ'
})
"""

_INSERT_PUBLICATIONS = """
insert into ops.ops_publication
select version, as_of, published_at, content_hash, tables, missing
from read_json($files, columns = {
    'version': 'VARCHAR', 'as_of': 'DATE', 'published_at': 'TIMESTAMPTZ', 'content_hash': 'VARCHAR',
    'tables': 'BIGINT', 'missing': 'VARCHAR[]'
})
"""

_INSERT_STEPS = """
insert into ops.ops_run_step
select step, key, started_at, seconds, state, error
from read_json($files, columns = {
    'step': 'VARCHAR', 'key': 'DATE', 'started_at': 'TIMESTAMPTZ', 'seconds': 'DOUBLE', 'state': 'VARCHAR',
    'error': 'VARCHAR'
})
"""


def sync_ops(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Bring schema `ops` up to date with the ledger; return the loads that were new."""
    con.execute(_DDL.read_text("utf-8"))
    con.execute("create table if not exists ops.seen (kind varchar, name varchar)")
    _tell_contracts(con)
    con.execute("begin")
    # Before the loads: an act that is known then has its load among those that follow.
    acts = _insert_unseen(con, "acts", _INSERT_ACTS, settings)
    loads = _insert_unseen(con, "loads", _INSERT_LOADS, settings)
    gates = _insert_unseen(con, "gates", _INSERT_GATES, settings)
    _insert_reconciliations(con, gates, settings)
    _insert_unseen(con, "publications", _INSERT_PUBLICATIONS, settings)
    _insert_unseen(con, "steps", _INSERT_STEPS, settings)
    list_assessments(con, settings)
    refused = [
        path
        for name in loads
        if (event := ledger.read("loads", name, settings)).get("quarantined", event.get("refused"))
        for path in (settings.quarantine / event["table"] / f"dt={event['key']}").glob(f"{name}.parquet")
    ]
    if refused:
        con.execute(_INSERT_QUARANTINE, {"files": [str(p) for p in refused]})
    mark_rows(con, "ops.ops_quarantine", (read_act(name, settings) for name in acts))
    con.execute("commit")
    return loads


def _insert_reconciliations(con: duckdb.DuckDBPyConnection, gates: list[str], settings: Settings) -> None:
    """Add what the new runs of gate 2 compared; each left it beside its event."""
    files = [settings.ledger / "gates" / f"{name}.parquet" for name in gates]
    if compared := [str(path) for path in files if path.exists()]:
        con.execute(_INSERT_RECONCILIATIONS, {"files": compared})
        con.execute(_FORGET_RECONCILIATIONS, {"kept": settings.publications_kept})


def _tell_contracts(con: duckdb.DuckDBPyConnection) -> None:
    """Bring what the contracts promise of arrival beside what arrived, so that `ops_freshness` can compare."""
    con.execute("delete from ops.arrival_promise")
    promises = [[c.table, c.feed, c.expected_by, c.stale_after_hours] for c in load_contracts().values()]
    con.executemany("insert into ops.arrival_promise values (?, ?, ?, ?)", promises)


def _insert_unseen(con: duckdb.DuckDBPyConnection, kind: str, insert: str, settings: Settings) -> list[str]:
    seen = {name for (name,) in con.execute("select name from ops.seen where kind = ?", [kind]).fetchall()}
    new = [name for name in ledger.list_names(kind, settings) if name not in seen]
    if new:
        con.execute(insert, {"files": [str(settings.ledger / kind / f"{name}.json") for name in new]})
        con.execute("insert into ops.seen select $kind, unnest($names)", {"kind": kind, "names": new})
    return new
