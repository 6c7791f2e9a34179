"""Gate 1 over rows of which one in a hundred is wrong: split, lake files, quarantine and Great Expectations together.

Beside it stands what a person would write by hand in plain DuckDB: one pass over the staged rows that counts what fails
each row check, and every query of the other checks once; nothing is kept. Both find the same, or there is no figure.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from tanhuan.bench.measures import Measure, land_file, take_time, throw_away
from tanhuan.contracts import get_contract
from tanhuan.duck import bound_memory, open_memory, open_scratch, quote
from tanhuan.formats.rows import STAGED
from tanhuan.forms import PARQUET, get_form
from tanhuan.gates.checks import Check
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import Suite, load_source_suite
from tanhuan.known import show_known
from tanhuan.landing import Arrival, Load, list_payloads, new_load
from tanhuan.processes import inherit_environment
from tanhuan.settings import Settings

_TABLE = "source_hour"
_FIRST_DAY = dt.date(2025, 1, 1)
#: 336 outlets with four factors each; more rows are more days
_SERIES = 1344
#: what a gate is; reading and comparing with the lake come before it
_STEPS = ("check", "write", "gate", "quarantine")


def measure_gate(rows: int, settings: Settings) -> Measure:
    """Measure the gate on made rows in a process of its own, and then plain DuckDB on the same rows."""
    with throw_away(settings) as own:
        load = _land_faulty_rows(rows, own)
        told = _run_gate(load, own)
        assert told["state"] == "admitted", f"the made rows were {told['state']}: {told['reason']}"
        suite = load_source_suite(get_contract(_TABLE), own)
        found, floor, writing = _run_by_hand(load, suite, own)
        differing = {check: (count, told["found"].get(check)) for check, count in found.items()}
        differing = {check: counts for check, counts in differing.items() if counts[0] != counts[1]}
        assert not differing, f"by hand and by the gate other rows were found: {differing}"
    steps = {name: told["seconds"][name] for name in _STEPS if name in told["seconds"]}
    others = {
        "项检查 checks": len(found),
        "行未通过 rows that fail": told["quarantined"],
        "秒导入 GX, import of Great Expectations s": told["import_s"],
        "峰值内存 peak memory MiB": told["peak_mib"],
        "另加写出 by hand with writing s": round(floor + writing, 3),
    }
    return Measure("gate", rows, "rows", round(sum(steps.values()), 3), floor, steps, others)


def _land_faulty_rows(rows: int, settings: Settings) -> Load:
    last = _FIRST_DAY + dt.timedelta(days=(rows - 1) // (24 * _SERIES))
    load = new_load(get_contract(_TABLE), _FIRST_DAY, _FIRST_DAY, last, "history", PARQUET)
    made = settings.root / "made"
    with open_memory(bound_memory(settings.gate_memory_mb, settings.root / "spill")) as con:
        con.execute(
            f"copy ({_FAULTY_ROWS}) to {quote(made)} (format parquet)",
            {"rows": rows, "series": _SERIES, "first": _FIRST_DAY},
        )
    land_file(Arrival(load, settings, None), made)
    return load


def _run_gate(load: Load, settings: Settings) -> dict[str, Any]:
    command = [sys.executable, "-m", "tanhuan.bench.gate_process", json.dumps(asdict(load))]
    environment = inherit_environment(settings.as_environment())
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, f"the gate's process ended with {done.returncode}: {done.stderr[-2000:]}"
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _run_by_hand(load: Load, suite: Suite, settings: Settings) -> tuple[dict[str, int], float, float]:
    """Return how many rows each check finds, the seconds that took, and those of writing two files besides."""
    contract, form = get_contract(load.table), get_form(load.form, settings)
    found: dict[str, int] = {}
    # As much as the gate has together with Great Expectations.
    bound = bound_memory(settings.gate_memory_mb * 3 // 2, settings.root / "spill-by-hand")
    with open_scratch(settings.root / "by-hand.duckdb", bound) as con:
        form.stage(con, contract, list_payloads(load, settings))
        show_known(con, suite.known_tables, [], settings.root / "known", settings)
        days = {"first": load.first, "last": load.last}
        con.execute(f"create view batch as select *, false as _duplicate from {STAGED}")
        refused = " or ".join(f"({compile_failing(c)})" for c in suite.at("row") if c.action != "flag")
        con.execute(f"create table refused as from batch where {refused}", days)
        # Made beforehand: a hand-written pass would not wait for it.
        con.execute("create table accepted as from batch anti join refused using (_source_file, _source_row)")
        seconds = take_time(lambda: found.update(_count_rows(con, suite.at("row"), days)))
        seconds += take_time(lambda: found.update(_count_found(con, suite.at("batch"))))
        writing = take_time(lambda: _write(con, settings.root))
    return found, seconds, writing


def _count_rows(con: duckdb.DuckDBPyConnection, checks: Sequence[Check], days: dict[str, str]) -> dict[str, int]:
    counts = ", ".join(f"count(*) filter (where {compile_failing(c)})" for c in checks)
    [counted] = con.execute(f"select {counts} from batch", days).fetchall()
    return dict(zip([c.id for c in checks], counted, strict=True))


def _count_found(con: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> dict[str, int]:
    found = {}
    for check in checks:
        assert check.expectation is not None, f"{check.id} asks Great Expectations nothing"
        query = check.expectation["kwargs"]["unexpected_rows_query"].format(batch="accepted")
        [(found[check.id],)] = con.execute(f"select count(*) from ({query})").fetchall()
    return found


def _write(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for name in ("accepted", "refused"):
        file = quote(folder / f"{name}.parquet")
        con.execute(f"copy {name} to {file} (format parquet, compression zstd)")


#: hours of outlets with a flow, oxygen and two pollutants, whose totals are mean × flow. One row in a hundred has one
#: of ten faults; besides, one outlet sends totals twice too high and another the same value all day long
_FAULTY_ROWS = """
with hours as (
    select
        n,
        n // $series as hour,
        n % $series // 4 as outlet,
        ['a00000', 'a19001', 'a21002', 'a21026'][n % 4 + 1] as factor,
        case when n % $series // 4 = 11 then 7 else hash(n) % 4000 / 100 end as noise,
        round(30 + hash(n // 4) % 4000 / 100, 2) as flow,
        case when hash(n, 'faulty') % 100 = 0 then hash(n, 'kind') % 10 end as fault
    from range($rows) as made (n)
),
measured as (
    select
        *,
        case factor
            when 'a00000' then flow when 'a19001' then round(6 + noise / 5, 2) else round(20 + noise, 2)
        end as mean
    from hours
)
select
    case when fault is distinct from 0 then '43030400000000' || printf('%010d', outlet) end as mn_code,
    '91430300MA' || printf('%08d', outlet // 3) || if(fault = 1, '01P', '001P') as permit_no,
    if(fault = 2, 'DX', 'DA') || printf('%03d', outlet % 3 + 1) as outlet_code,
    if(fault = 3, 'a99999', factor) as factor_code,
    $first::date::timestamptz + to_minutes((hour * 60 + if(fault = 4, 7, 0))::integer) as hour_start,
    (mean * if(fault = 5, 1000, 1))::decimal(18, 4) as avg_value,
    (mean + if(fault = 6, 5, -5))::decimal(18, 4) as min_value,
    (mean * if(fault = 5, 1000, 1) + 5)::decimal(18, 4) as max_value,
    (mean + 2)::decimal(18, 4) as corrected_avg_value,
    (
        case factor
            when 'a00000' then mean * 3600 when 'a19001' then null else mean * flow * 3600 / 1000000
        end * if(outlet = 7, 2, 1)
    )::decimal(18, 4) as total_value,
    case when fault = 7 then 'X' when hash(n) % 50 = 0 then 'M' else 'N' end as instrument_flag,
    null::varchar as process_flag,
    if(fault = 8, 'draft', 'final') as data_status,
    if(fault = 9, 'unknown', 'measured') as data_basis
from measured
"""
