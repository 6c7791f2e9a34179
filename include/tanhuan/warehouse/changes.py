"""What differs from the last publication, value by value, and which load, correction, rule or date explains it.

Asked after a build and before gate 2, which refuses a change of a closed period that nothing explains
(expectations/reconciliation/changes.yml). A cause is what *can* have moved a row: something new that its table rests on
and that touches its period. Nothing here knows a table or a column by name but those that carry a row's period.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import duckdb

from tanhuan.contracts import load_contracts
from tanhuan.duck import open_warehouse, quote
from tanhuan.gates.suites import load_mart_suites
from tanhuan.settings import Settings, now
from tanhuan.warehouse.before import Before, find_before
from tanhuan.warehouse.change_report import FIGURES
from tanhuan.warehouse.lineage import FREEZES, Lineage, Origin, read_lineage
from tanhuan.warehouse.table_pair import PUBLISHED, TablePair, find_grain

log = logging.getLogger(__name__)

#: changed values told one by one, a table; what goes beyond is counted
_TOLD_FIGURES, _TOLD_OTHERS = 50_000, 5_000
#: lines of earlier publications that are kept
_KEPT_LINES = 500_000
#: names told in one cause
_TOLD_NAMES = 10

_FOUND = "found_change"
_ASSESSMENTS = "ind_plan_assessment"
#: how a frozen assessment is named as a cause
_FREEZE = "concat_ws('/', plan_id, assessment_point, freeze_no)"
_SQL = Path(__file__).parent / "sql"

_NEW_LOADS = f"""
select load_id
from raw.loaded
where load_id not in (select load_id from {PUBLISHED}.ops_load) or list_contains($left_out, load_id)
order by load_id
"""

_KEEP_HISTORY = f"""
insert into ops.ops_change by name
with version as (
    select
        version_before,
        row_number() over newest as place,
        sum(count(*)) over newest as lines
    from {PUBLISHED}.ops_change
    group by version_before
    window newest as (order by max(recorded_at) desc)
)

select change.*
from {PUBLISHED}.ops_change as change
inner join version on change.version_before = version.version_before
where version.place < $kept and version.lines <= {_KEPT_LINES} and change.version_before <> $version_before
"""

_RECORD = f"""
insert into ops.ops_change by name
select $version_before as version_before, $as_of::date as night_date, *, $recorded_at::timestamptz as recorded_at
from {_FOUND}
order by all
"""


def find_changes(settings: Settings) -> dict[str, int]:
    """Write to `ops.ops_change` what a publication of the warehouse as it stands would change; count it by cause.

    Raises:
        TanhuanError: nothing has been built.
    """
    before = find_before(settings)
    with open_warehouse(settings) as con:
        if before is None:
            con.execute("delete from ops.ops_change")
            con.execute("delete from ops.compared")
            return {}
        with _attach(con, before):
            counts = _Comparison(con, before, settings).run()
    unexplained = counts.get("unexplained", 0)
    log.log(
        logging.WARNING if unexplained else logging.INFO,
        "since %s: %s",
        before.version,
        ", ".join(f"{kind} {count}" for kind, count in counts.items()) or "no change",
    )
    return counts


def ensure_changes(settings: Settings) -> None:
    """Compare with the last publication unless gate 2 has already seen that comparison."""
    before = find_before(settings)
    with open_warehouse(settings, read_only=True) as con:
        known = [name for (name,) in con.execute("from ops.compared").fetchall()]
    if before is None or known != [before.version]:
        find_changes(settings)


def list_left_out(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the loads that `ops_load` tells of but the warehouse has not taken in: they explain the next version."""
    found = con.execute("select load_id from ops.ops_load where load_id not in (select load_id from raw.loaded)")
    return sorted(name for (name,) in found.fetchall())


@contextmanager
def _attach(con: duckdb.DuckDBPyConnection, before: Before) -> Iterator[None]:
    con.execute(f"attach {quote(before.path / 'tanhuan.duckdb')} as {PUBLISHED} (read_only)")
    con.execute("begin")
    try:
        yield
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")
    con.execute(f"detach {PUBLISHED}")


class _Comparison:
    """One comparison of the warehouse with a publication that is attached to it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, before: Before, settings: Settings) -> None:
        self._con, self._before, self._settings = con, before, settings
        [(self._as_of,)] = con.execute("select as_of from raw.night").fetchall()

    def run(self) -> dict[str, int]:
        con, before = self._con, self._before
        con.execute(
            f"create or replace temp table {_FOUND} as select table_name, row_key, change, column_name, old_value, "
            "new_value, relative_change, change_count, is_closed_period, cause_kind, cause from ops.ops_change limit 0"
        )
        self._show_load_days()
        tables = self._list_tables()
        same = self._list_same([table for table in tables if table.is_comparable])
        for table in tables:
            self._compare(table, table.name in same)
        con.execute("delete from ops.ops_change")
        if self._knows_history():
            kept = {"kept": self._settings.publications_kept, "version_before": before.version}
            con.execute(_KEEP_HISTORY, kept)
        con.execute(_RECORD, {"version_before": before.version, "as_of": self._as_of, "recorded_at": now().isoformat()})
        con.execute("create or replace table ops.compared as select $1::varchar as version_before", [before.version])
        return dict(
            con.execute(
                f"select cause_kind, sum(change_count)::bigint from {_FOUND} group by all order by all"
            ).fetchall()
        )

    def _knows_history(self) -> bool:
        """Tell whether the last publication has changes of its own, in today's columns."""
        known = self._columns.get((PUBLISHED, "ops_change"), {})
        return known == self._columns[self._warehouse, "ops_change"]

    def _show_load_days(self) -> None:
        """Create `load_day`: the days that loads brought which the last publication did not rest on."""
        left_out = {"left_out": self._before.manifest.get("loads_left_out", [])}
        new = [name for (name,) in self._con.execute(_NEW_LOADS, left_out).fetchall()]
        files = [str(self._settings.ledger / "loads" / f"{name}.json") for name in new]
        columns = "load_id varchar, table_name varchar, kind varchar, name varchar, day date"
        self._con.execute(f"create or replace temp table load_day ({columns})")
        if files:
            self._con.execute(_read_sql("change_loads"), {"files": files})
        self._show_new_freezes()

    def _show_new_freezes(self) -> None:
        """Add to `load_day` the assessments frozen since the last publication was built: they explain their rows."""
        known = ""
        if (PUBLISHED, _ASSESSMENTS) in self._columns:
            known = f"where {_FREEZE} not in (select {_FREEZE} from {PUBLISHED}.{_ASSESSMENTS})"
        self._con.execute(
            f"insert into load_day select distinct {_FREEZE}, '{FREEZES}', 'freeze', {_FREEZE}, null::date "
            f"from raw.{FREEZES} {known}"
        )

    def _list_tables(self) -> list[TablePair]:
        tables = [
            TablePair(
                suite.table,
                find_grain(suite),
                self._columns.get((PUBLISHED, suite.table), {}),
                self._columns.get((self._warehouse, suite.table), {}),
            )
            for suite in load_mart_suites(self._settings)
        ]
        return [table for table in tables if table.old or table.new]

    def _list_same(self, tables: list[TablePair]) -> set[str]:
        """Return the tables whose compared columns hold the same on both sides: most of them, and cheap to tell."""
        contents = (
            f"select '{table.name}' as name, count(*) as rows, sum(hash({table.quoted})::hugeint) as content "
            f"from {place}.{table.name}"
            for table in tables
            for place in (PUBLISHED, "main")
        )
        found = self._con.execute(
            f"select name from ({' union all '.join(contents)}) group by name "
            "having min(rows) = max(rows) and min(content) is not distinct from max(content)"
        )
        return {name for (name,) in found.fetchall()}

    @cached_property
    def _columns(self) -> dict[tuple[str, str], dict[str, str]]:
        """The columns of every table of both sides, with their types."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        rows = self._con.execute(
            "select database_name, table_name, column_name, data_type from duckdb_columns() "
            "where not internal and ((database_name = $1 and schema_name = 'main') or (database_name = $2 and "
            "(schema_name = 'main' or (schema_name = 'ops' and table_name = 'ops_change')))) order by column_index",
            [PUBLISHED, self._warehouse],
        )
        for database, table, column, kind in rows.fetchall():
            found.setdefault((database, table), {})[column] = kind
        return found

    @cached_property
    def _warehouse(self) -> str:
        [(name,)] = self._con.execute("select current_database()").fetchall()
        return str(name)

    def _compare(self, table: TablePair, is_same: bool) -> None:
        if not table.is_comparable:
            self._tell_whole(table)
            return
        for column in sorted(table.old.keys() ^ table.new.keys()):
            self._tell(table, "added" if column in table.new else "removed", column, 1)
        if not is_same:
            self._con.execute(table.select_differing())
            self._find_causes(table)
            limit = _TOLD_FIGURES if table.name.startswith(FIGURES) else _TOLD_OTHERS
            told = {"table": table.name, "limit": limit, "names": _TOLD_NAMES}
            # New days of facts come every night: their number is enough.
            self._con.execute(_read_sql("change_rows"), {**told, "counts_new": table.name.startswith("fct_")})

    def _find_causes(self, table: TablePair) -> None:
        origin = self._lineage.trace(table.name)
        moved = origin.reads_night and self._as_of > self._before.as_of
        self._con.execute(
            _read_sql("change_causes"),
            {
                "names": _TOLD_NAMES,
                "feeds": sorted(origin.feeds | ({FREEZES} if origin.reads_freezes else set())),
                "reach": origin.reach,
                "as_of_before": self._before.as_of,
                "as_of": self._as_of,
                "rules": self._list_changed_rules(origin),
                "moved": moved,
                "dated": self._list_dated(origin) if moved else [],
            },
        )

    def _tell_whole(self, table: TablePair) -> None:
        """Tell of a table that came, went, or has another key, as a number of rows."""
        change = "removed" if not table.new else "added" if not table.old else "changed"
        place = "main" if table.new else PUBLISHED
        [(rows,)] = self._con.execute(f"select count(*) from {place}.{table.name}").fetchall()
        self._tell(table, change, None, rows)

    def _tell(self, table: TablePair, change: str, column: str | None, count: int) -> None:
        rules = self._list_changed_rules(self._lineage.trace(table.name)) or ([] if table.new else ["model removed"])
        self._con.execute(
            f"insert into {_FOUND} values ($1, null, $2, $3, null, null, null, $4, false, $5, $6)",
            [table.name, change, column, count, "rule" if rules else "unexplained", _join(rules)],
        )

    def _list_changed_rules(self, origin: Origin) -> list[str]:
        """Return the models, seeds, macros and contracts of a table that are not those of the last publication."""
        known = self._before.manifest.get("rules", {})
        changed = [name for name in sorted(origin.rules) if self._lineage.rules.get(name) != known.get(name)]
        if changed and not known:
            # A version that does not tell its rules yet has only their hash as a whole.
            return ["rules that the version before does not tell one by one"]
        return changed

    def _list_dated(self, origin: Origin) -> list[str]:
        """Return the dates among the rows of a table's origin that have come since: an order in force, a list's end."""
        places = {("raw", feed) for feed in origin.feeds} | {("rules", seed) for seed in origin.seeds}
        return [text for schema, table, text in self._dated if (schema, table) in places]

    @cached_property
    def _dated(self) -> list[tuple[str, str, str]]:
        """Dates in seeds and snapshot tables from the last publication's date up to now, by place."""
        snapshots = [c.table for c in load_contracts().values() if c.mode == "snapshot"]
        places = self._con.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where database_name = $1 "
            "and data_type = 'DATE' and column_name <> 'business_date' "
            "and (schema_name = 'rules' or (schema_name = 'raw' and list_contains($2, table_name))) order by all",
            [self._warehouse, snapshots],
        ).fetchall()
        queries = (
            f"select '{schema}', '{table}', '{table}.{column} ' || \"{column}\" from {schema}.{table} "
            f'where "{column}" between $1 and $2'
            for schema, table, column in places
        )
        query = " union ".join(queries)
        days = [self._before.as_of, self._as_of]
        return self._con.execute(f"{query} order by all", days).fetchall() if places else []

    @cached_property
    def _lineage(self) -> Lineage:
        return read_lineage(self._settings)


def _read_sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")


def _join(names: list[str]) -> str | None:
    more = f" … +{len(names) - _TOLD_NAMES}" if len(names) > _TOLD_NAMES else ""
    return ", ".join(names[:_TOLD_NAMES]) + more if names else None
