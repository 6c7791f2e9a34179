"""Quarantine: what was refused, as it was received, with every reason, waiting for a person.

The files are never edited. What a person does with held rows is an act in the ledger; the state of a row (held,
released, dropped) is that of the last act on it. Belongs here: the files, the acts, and states computed from both. Does
not belong here: the gate (`release.py`) and what is shown (`cli_quarantine.py`).
"""

from __future__ import annotations

import datetime as dt
import getpass
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from tanhuan import ledger
from tanhuan.duck import quote
from tanhuan.formats.rows import PLACE, RECEIVED, UNREADABLE, find_originals
from tanhuan.lake import write_rows
from tanhuan.landing import Load
from tanhuan.settings import Settings, now

#: reasons of pieces that never became rows begin with this
READ = "READ-"
_act_counter = itertools.count()

ActKind = Literal["release", "drop", "reopen"]
#: the state of a row after an act on it
STATE_AFTER: dict[ActKind, str] = {"release": "released", "drop": "dropped", "reopen": "held"}

#: rows of a load by the file they came in; a packet that holds several rows is one place
Places = dict[str, list[int]]


@dataclass(frozen=True)
class Act:
    """What a person did with rows of one load; `places` None means all rows of the load.

    `result` is the load as which released rows entered, `accepted` the checks that were waived for them.
    """

    act: ActKind
    load_id: str
    table: str
    key: str
    places: Places | None
    rows: int
    who: str
    why: str
    document: str | None = None
    accepted: list[str] = field(default_factory=list)
    result: str | None = None
    recorded_at: str = ""
    act_id: str = ""


def quarantine_path(load: Load, settings: Settings) -> Path:
    """Return where the refused rows of a load lie."""
    return settings.quarantine / load.table / f"dt={load.key}" / f"{load.load_id}.parquet"


def write_refused(
    con: duckdb.DuckDBPyConnection, judged: str, load: Load, settings: Settings, batch_reason: str | None
) -> Path:
    """Keep refused rows and unreadable pieces; with a `batch_reason` every row is kept, since none was admitted.

    Columns: load_id, table_name, source_file, source_row, ordinal (tells rows of one place apart), row_json (as
    received), reason_ids, detail, state (what became of the row later is in the ledger's acts). A row that was to be
    released and failed again is held once, as the load it first came with; here it lies as dropped.
    """
    state = "dropped" if load.kind == "release" else "held"
    target = quarantine_path(load, settings)
    refused = "len(_refused_by) > 0"
    received = RECEIVED if batch_reason else find_originals(con, f"{judged} where {refused}")
    which = refused if batch_reason is None else "true"
    write_rows(
        con,
        f"""
        with refused as (
            select
                judged._source_file, judged._source_row, judged._ordinal, received._raw, judged._refused_by,
                {quote(batch_reason)}::varchar as detail
            from {judged} as judged
            left join {received} as received using ({PLACE})
            where {which}
            union all
            select _source_file, _source_row, null, _raw, [reason_id], detail from {UNREADABLE}
        )
        select
            '{load.load_id}' as load_id,
            '{load.table}' as table_name,
            _source_file as source_file,
            _source_row as source_row,
            _ordinal as ordinal,
            coalesce(_raw, '') as row_json,
            _refused_by as reason_ids,
            detail,
            '{state}' as state
        from refused
        order by _source_file, _source_row, _ordinal
        """,
        target,
    )
    return target


def list_files(settings: Settings, table: str | None = None, load_id: str | None = None) -> list[Path]:
    """Return the quarantine files of a table or of a load, newest load first."""
    files = settings.quarantine.glob(f"{table or '*'}/*/{load_id or '*'}.parquet")
    return sorted(files, key=lambda path: path.stem, reverse=True)


def show_held(con: duckdb.DuckDBPyConnection, files: Sequence[Path], settings: Settings) -> None:
    """Create `held`: the rows of quarantine files, each with its present state and who made it so, when and why.

    Columns: those of the files, `night`, `acted_by`, `acted_at`, `why`, `document`, `released_as`.
    """
    con.execute(
        """
        create or replace temp table held as
        select * replace (reason_ids::varchar[] as reason_ids) from (
            from read_parquet(
                $files, union_by_name = true, hive_partitioning = true, hive_types_autocast = false
            )
            union all by name
            -- Files of earlier versions do not tell rows of one place apart.
            select null::bigint as ordinal where false
        )
        """,
        {"files": [str(file) for file in files]},
    )
    con.execute("alter table held rename dt to night")
    for column, kind in ACTED.items():
        con.execute(f"alter table held add column {column} {kind}")
    loads = {path.stem for path in files}
    mark_rows(con, "held", (act for act in list_acts(settings) if act.load_id in loads))


#: what the last act on a row leaves beside its state
ACTED = {
    "acted_by": "varchar",
    "acted_at": "timestamptz",
    "why": "varchar",
    "document": "varchar",
    "released_as": "varchar",
}


def mark_rows(con: duckdb.DuckDBPyConnection, relation: str, acts: Iterable[Act]) -> None:
    """Give the rows of a table with quarantined rows the state that acts gave them, in the order of the acts."""
    for act in acts:
        where = "load_id = $load_id"
        values: dict[str, Any] = {"load_id": act.load_id}
        if act.places is not None:
            con.execute(
                "create or replace temp table acted_place as select unnest($files) as file, unnest($rows) as row_no",
                {
                    "files": [file for file, rows in act.places.items() for _ in rows],
                    "rows": [row for rows in act.places.values() for row in rows],
                },
            )
            where += " and (source_file, source_row) in (select (file, row_no) from acted_place)"
        values |= {"state": STATE_AFTER[act.act], "who": act.who, "at": act.recorded_at, "why": act.why}
        values |= {"document": act.document, "result": act.result}
        con.execute(
            f"update {relation} set state = $state, acted_by = $who, acted_at = $at::timestamptz, why = $why, "
            f"document = $document, released_as = $result where {where}",
            values,
        )


def record_act(act: Act, settings: Settings) -> Act:
    """Write an act into the ledger; return it with its name and moment."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
    act_id = f"{stamp}{next(_act_counter) % 1000:03d}-{act.act}-{act.table}"
    whole = {**vars(act), "act_id": act_id, "recorded_at": now().isoformat()}
    ledger.record("acts", act_id, whole, settings)
    return Act(**whole)


def list_acts(settings: Settings) -> list[Act]:
    """Return all acts, oldest first."""
    return [read_act(name, settings) for name in ledger.list_names("acts", settings)]


def read_act(name: str, settings: Settings) -> Act:
    """Return one act."""
    return Act(**ledger.read("acts", name, settings))


def name_person(who: str | None) -> str:
    """Return who acts: as named, or the name of the login."""
    return (who or "").strip() or getpass.getuser()
