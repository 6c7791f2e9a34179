"""What is different from the clean night: the gates' answers, and the figures that would be published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import duckdb

from tanhuan.batch import Outcome
from tanhuan.duck import open_memory
from tanhuan.gates.results import SAMPLES, CheckResult
from tanhuan.settings import Settings

#: where a failing row stood in what was sent; says nothing about the row itself
_PLACE = re.compile(r"^\S+ row \d+ ")
#: a figure in floating point counts as the same within this, relatively: sums in another order differ by less
_SIGNIFICANT_DIGITS = 9
#: columns that tell of a run and not of the environment
_OF_THE_RUN = re.compile(r"hash|load_id|fetched_at|recorded_at|_row\b")


@dataclass(frozen=True)
class Answers:
    """What a gate said of one batch or one set of marts."""

    refused: bool
    quarantined: int = 0
    reason: str | None = None
    failed: Mapping[str, int | None] = field(default_factory=dict)
    samples: Mapping[str, frozenset[str]] = field(default_factory=dict)
    days: tuple[str, ...] = ()


def read_answers(outcome: Outcome) -> Answers:
    """Return what gate 1 said of a load."""
    days = tuple(sorted(outcome.content))
    told = _answer(outcome.checks)
    return Answers(outcome.state == "refused", outcome.quarantined, outcome.reason, told.failed, told.samples, days)


def read_checks(checks: Iterable[CheckResult]) -> Answers:
    """Return what gate 2 said of the marts."""
    return _answer(checks)


def read_records(records: Iterable[dict[str, Any]]) -> Answers:
    """Return what gate 2 said of the marts, from the ledger: a publication that was refused leaves nothing else."""
    names = {f.name for f in fields(CheckResult)}
    empty = {"zh": "", "en": "", "source": ""}
    return _answer(CheckResult(**{**empty, **{k: v for k, v in r.items() if k in names}}) for r in records)


def _answer(checks: Iterable[CheckResult]) -> Answers:
    failing = [c for c in checks if not c.passed]
    refused = any(c.refuses_batch for c in failing)
    return Answers(
        refused,
        reason="; ".join(c.id for c in failing if c.refuses_batch) or None,
        failed={c.id: _count_failed(c) for c in failing},
        samples={c.id: frozenset(_PLACE.sub("", sample) for sample in c.samples) for c in failing},
    )


def _count_failed(check: CheckResult) -> int | None:
    """Return how many rows failed; a check of the whole batch tells it as what it observed."""
    told = check.failed_rows if check.failed_rows is not None else check.observed
    return int(str(told)) if str(told).isdecimal() else None


def list_news(answers: Answers, clean: Answers) -> list[str]:
    """Return the checks that say more of a spoilt batch than of the clean one: anew, of more rows, or of other rows."""
    return [name for name in answers.failed if _says_more(name, answers, clean)]


def _says_more(name: str, answers: Answers, clean: Answers) -> bool:
    if name not in clean.failed:
        return True
    rows, before = answers.failed[name] or 0, clean.failed[name] or 0
    # Beyond the bound only some of the failing rows are shown, and which ones is no answer.
    shown = max(rows, before, len(answers.samples[name])) < SAMPLES
    return rows > before or (shown and not answers.samples[name] <= clean.samples[name])


def list_changed_figures(own: Settings, clean: Settings) -> dict[str, int]:
    """Return the published tables of which rows differ from the clean night's, and how many do."""
    with open_memory() as con:
        con.execute(f"attach '{own.warehouse}' as spoilt (read_only)")
        con.execute(f"attach '{clean.warehouse}' as clean (read_only)")
        columns = _list_columns(con)
        changed = {table: _count_different(con, table, shown) for table, shown in columns.items()}
    return {table: count for table, count in changed.items() if count}


def _list_columns(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    found = con.execute(
        "select table_name, column_name, data_type from duckdb_columns() where database_name = 'clean' "
        "and schema_name = 'main' and table_name in (select table_name from duckdb_tables() where "
        "database_name = 'clean' and schema_name = 'main') order by table_name, column_index"
    ).fetchall()
    shown: dict[str, list[str]] = {}
    for table, column, kind in found:
        if not _OF_THE_RUN.search(column):
            shown.setdefault(table, []).append(_round(f'"{column}"') if kind in ("DOUBLE", "FLOAT") else f'"{column}"')
    return {table: ", ".join(columns) for table, columns in shown.items()}


def _round(column: str) -> str:
    """Round to significant digits, so that sums in another order are the same figure."""
    places = f"{_SIGNIFICANT_DIGITS - 1} - floor(log10(abs({column})))::integer"
    return f"case when {column} = 0 or {column} is null then {column} else round({column}, {places}) end"


def _count_different(con: duckdb.DuckDBPyConnection, table: str, columns: str) -> int:
    sides = [f"select {columns} from {database}.main.{table}" for database in ("spoilt", "clean")]
    [(count,)] = con.execute(
        "select greatest("
        f"(select count(*) from ({sides[0]} except all {sides[1]})), "
        f"(select count(*) from ({sides[1]} except all {sides[0]})))"
    ).fetchall()
    return int(count)
