"""`changes.json`: what a publication changes, as a program or a person reads it, the most important first.

Belongs here: reading `ops.ops_change`. Does not belong here: finding changes (changes.py).
"""

from __future__ import annotations

from typing import Any

import duckdb

from tanhuan.warehouse.before import Before

#: tables whose every change is told
FIGURES = ("ind_", "mart_")
#: changes listed; what goes beyond is in `ops_change`
_LISTED = 2_000

_COUNTS = """
select table_name, change, sum(change_count)::bigint
from ops.ops_change
where version_before = $1
group by all
order by all
"""

_CAUSES_TOLD = """
select
    cause_kind,
    cause,
    list(distinct table_name order by table_name) as tables,
    sum(change_count)::bigint as changes,
    coalesce(sum(change_count) filter (where is_closed_period), 0)::bigint as in_closed_periods
from ops.ops_change
where version_before = $1
group by cause_kind, cause
order by cause_kind <> 'unexplained', changes desc, cause_kind, cause
"""

# What a reader must see first: what nothing explains, then a verdict on the plan, then figures of periods that were
# over, then the largest jumps.
_MOST_IMPORTANT = f"""
select
    table_name, row_key, change, column_name, old_value, new_value, relative_change, change_count, is_closed_period,
    cause_kind, cause
from ops.ops_change
where version_before = $1 and (starts_with(table_name, 'ind_') or starts_with(table_name, 'mart_'))
order by
    cause_kind = 'unexplained' desc,
    coalesce(column_name = 'status', false) and starts_with(table_name, 'ind_') desc,
    is_closed_period desc,
    starts_with(table_name, 'ind_') desc,
    abs(relative_change) desc nulls last,
    table_name, row_key, column_name
limit {_LISTED}
"""


def describe_changes(con: duckdb.DuckDBPyConnection, before: Before | None) -> dict[str, Any]:
    """Return what `changes.json` says: counts by table, causes, and every change of an indicator or mart."""
    version = before.version if before else None
    counts: dict[str, dict[str, int]] = {}
    for table, change, count in con.execute(_COUNTS, [version]).fetchall():
        counts.setdefault(table, {})[change] = count
    figures = [count for table, told in counts.items() if table.startswith(FIGURES) for count in told.values()]
    listed = _fetch(con, _MOST_IMPORTANT, version)
    return {
        "version_before": version,
        "as_of_before": before.as_of.isoformat() if before else None,
        "tables": counts,
        "causes": _fetch(con, _CAUSES_TOLD, version),
        "total": sum(figures),
        "listed": len(listed),
        "changes": listed,
    }


def _fetch(con: duckdb.DuckDBPyConnection, query: str, version: str | None) -> list[dict[str, Any]]:
    answer = con.execute(query, [version])
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
