"""Compiled row rules and Great Expectations mean the same: shown for every suite on random, edge-heavy rows."""

from __future__ import annotations

import datetime as dt
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import Column, Contract, load_contracts
from tanhuan.duck import open_memory
from tanhuan.gates.engine import get_validator
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import Check, load_source_suite
from tanhuan.settings import Settings

ROWS = 300
_DATES = (dt.date(1999, 12, 31), dt.date(2020, 1, 1), dt.date(2025, 12, 31), dt.date(2026, 11, 20), dt.date(2099, 1, 1))


@pytest.mark.parametrize("contract", load_contracts().values(), ids=lambda c: c.table)
def test_compiled_rules_and_great_expectations_count_the_same_rows(
    contract: Contract, home: Settings, tmp_path: Path
) -> None:
    suite = load_source_suite(contract, home)
    checks = [c for c in suite.at("row") if c.expectation is not None]
    batch = tmp_path / "batch.parquet"
    with open_memory() as con:
        _write_random_rows(con, contract, checks, batch)
        compiled = {c.id: _count(con, f"'{batch}' where {compile_failing(_without_contract_form(c))}") for c in checks}
    with get_validator().open_parquet(str(batch)) as asset:
        answers = get_validator().check(asset, suite, checks, {"days": 1, "as_of": "2026-11-23"})
    counted = {a.id: _failed_rows(a.failed_rows, a.observed) for a in answers}
    assert counted == compiled
    assert any(compiled.values()), "random rows that break nothing would prove nothing"


def _failed_rows(count: int | None, observed: str | None) -> int:
    """A query expectation reports its rows as the observed value."""
    return count if count is not None else int(re.sub(r"\D", "", observed or "0") or 0)


def _without_contract_form(check: Check) -> Check:
    """Compare the expectation's own form; contract checks also look at the text as received."""
    return Check(**{**check.__dict__, "failing": None})


def _count(con: duckdb.DuckDBPyConnection, source: str) -> int:
    found = con.execute(f"select count(*) from {source}").fetchone()
    assert found is not None
    return int(found[0])


def _write_random_rows(con: duckdb.DuckDBPyConnection, contract: Contract, checks: list[Check], target: Path) -> None:
    rng = random.Random(contract.table)
    pools = {c.name: _pool(c, checks, rng) for c in contract.columns}
    columns = ", ".join(f"{c.name} {c.type}" for c in contract.columns)
    con.execute(f"create table rows ({columns})")
    values = [[rng.choice(pools[name]) for name in contract.names] for _ in range(ROWS)]
    fitting = ", ".join(f"try_cast(? as {c.type})" for c in contract.columns)
    con.executemany(f"insert into rows values ({fitting})", values)
    con.execute(f"copy rows to '{target}' (format parquet)")


def _pool(column: Column, checks: list[Check], rng: random.Random) -> list[Any]:
    """Values around every edge that a check of this column names, with some NULLs."""
    kwargs = [c.expectation["kwargs"] for c in checks if c.expectation]
    own = [k for k in kwargs if k.get("column") == column.name]
    if column.type == "VARCHAR":
        members = [str(v) for k in own for v in k.get("value_set", [])]
        quoted = [m for k in kwargs for m in re.findall(r"'([^']{1,20})'", k.get("unexpected_rows_query", ""))]
        return [None, "", "x", "D", "DA001", "DW9999", "430302", "91430304MA0000001A", *members, *members, *quoted]
    if column.type == "DATE":
        return [None, *_DATES]
    if column.type == "TIMESTAMPTZ":
        return [None, *(dt.datetime(d.year, d.month, d.day, 5, rng.choice((0, 30)), tzinfo=dt.UTC) for d in _DATES)]
    edges = [Decimal(str(k[side])) for k in own for side in ("min_value", "max_value") if k.get(side) is not None]
    near = [e + step for e in edges for step in (Decimal(-1), Decimal(0), Decimal(1))]
    numbers = [None, *near, *(Decimal(n) for n in (-1, 0, 1, 5, 21, 61, 100, 2020, 2025, 5000, 100000))]
    return [None if n is None else int(n) for n in numbers] if column.type == "INTEGER" else numbers
