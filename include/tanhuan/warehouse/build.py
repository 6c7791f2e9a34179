"""One dbt build in this process: `raw` → staging → intermediate → marts and indicators.

A night recomputes the days that changed. When a model, macro or seed is not the one the warehouse was built with, every
day is recomputed: otherwise old days would keep the old rule.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import duckdb

from tanhuan.duck import open_warehouse
from tanhuan.errors import BuildFailed
from tanhuan.settings import Settings

log = logging.getLogger(__name__)

#: what decides the content of every model
_RULE_FOLDERS = ("models", "macros", "seeds")

_EVERYTHING = ("--full-refresh", "--exclude-resource-type", "unit_test")
#: seeds and views are what they were as long as no rule has changed; each costs some 25 ms
_NIGHTLY = ("--exclude-resource-type", "unit_test", "seed", "--exclude", "config.materialized:view")


def build(settings: Settings) -> dict[str, int]:
    """Run `dbt build`; return how many nodes succeeded and how many were tests.

    Raises:
        BuildFailed: a model or test failed; the sentence names it and shows failing rows.
    """
    digest = hash_rules(settings.dbt_project)
    known = _is_built_with(digest, settings)
    if not known:
        # A full build that stops half-way leaves some of the new rules in force: none is known from here on.
        _remember_rules(None, settings)
    nodes = run_dbt(["build", *(_NIGHTLY if known else _EVERYTHING)], settings)
    _remember_rules(digest, settings)
    return nodes


def hash_rules(project: Path) -> str:
    """Return a hash over all models, macros and seeds."""
    digest = hashlib.sha256()
    for folder in _RULE_FOLDERS:
        for path in sorted((project / folder).rglob("*.*")):
            digest.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run_dbt(arguments: list[str], settings: Settings) -> dict[str, int]:
    """Invoke dbt in this process and let go of the warehouse afterwards."""
    # dbt takes seconds to import: here, not at the top.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    os.environ["TANHUAN_WAREHOUSE"] = str(settings.warehouse)
    project = str(settings.dbt_project)
    places = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(settings.root / "dbt")]
    quiet = ["--quiet", "--log-level-file", "none", "--no-use-colors"]
    try:
        answer = dbtRunner().invoke([*arguments, *places, *quiet])
    finally:
        # dbt keeps the file open, and locked, after it has returned.
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()
    if answer.exception is not None:
        raise BuildFailed(f"dbt stopped: {answer.exception}", "read the message above; it names the file.")
    return _check_results(list(cast(Iterable[Any], answer.result or [])), settings)


def _remember_rules(digest: str | None, settings: Settings) -> None:
    """Note with which rules the whole warehouse is built; if with any, no day is left to take in."""
    with open_warehouse(settings) as con:
        con.execute("begin")
        con.execute("create or replace table raw.build as select $1::varchar as rules_digest", [digest])
        if digest is not None:
            con.execute("delete from raw.changed_day")
        con.execute("commit")


def _is_built_with(digest: str, settings: Settings) -> bool:
    with open_warehouse(settings, read_only=True) as con:
        known = con.execute(
            "select 1 from duckdb_tables() where schema_name = 'raw' and table_name = 'build'"
        ).fetchone()
        return bool(known) and con.execute("select rules_digest from raw.build").fetchone() == (digest,)


def _check_results(results: list[Any], settings: Settings) -> dict[str, int]:
    failed = [r for r in results if r.status in ("error", "fail", "runtime error")]
    if failed:
        sentences = "\n".join(f"- {r.node.unique_id}: {r.message}\n{_show_failing_rows(r, settings)}" for r in failed)
        raise BuildFailed(
            f"dbt: {len(failed)} of {len(results)} nodes failed; the published version stays.\n{sentences}",
            "mend the model, the seed or the row named above, then clear `build` in refresh_indicators.",
        )
    tests = sum(1 for r in results if r.node.resource_type == "test")
    return {"nodes": len(results), "tests": tests}


def _show_failing_rows(result: Any, settings: Settings) -> str:
    """Return the first rows a failed data test found: "1 result" alone helps nobody."""
    if result.node.resource_type != "test" or not result.node.compiled_code:
        return ""
    with open_warehouse(settings, read_only=True) as con:
        try:
            return str(con.sql(f"select * from ({result.node.compiled_code}) limit 10"))
        except duckdb.Error as exc:
            return f"(its failing rows cannot be shown: {exc})"
