"""Landed bytes to admitted Parquet, with the contract's checks and without the suite's."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import duckdb

from tanhuan.batch import Batch, open_for
from tanhuan.bench.measures import Measure, land_file, take_time, throw_away
from tanhuan.contracts import Contract, get_contract
from tanhuan.duck import open_memory
from tanhuan.forms import NDJSON, PARQUET, get_form
from tanhuan.gates.suites import load_source_suite
from tanhuan.landing import Arrival, new_load
from tanhuan.settings import Settings

_TABLE = "source_hour"
_FIRST_DAY = dt.date(2025, 1, 1)
_DAYS = 31


def measure_reading(form: str, rows: int, threads: int, settings: Settings) -> Measure:
    """Measure landed bytes → admitted Parquet, with the contract's checks and without the suite's.

    Args:
        form: ndjson or parquet.
        rows: synthetic hours of 60 outlets and more, in one month.
        threads: how many DuckDB may use.
    """
    contract = get_contract(_TABLE)
    with throw_away(settings) as own:
        load = new_load(contract, _FIRST_DAY, _FIRST_DAY, _FIRST_DAY + dt.timedelta(days=_DAYS - 1), "history", form)
        with open_memory([f"set threads = {int(threads)}"]) as con:
            file = _land_made_rows(con, Arrival(load, own, None), rows)
            floor = take_time(lambda: _copy_plainly(con, contract, file, own.root / "floor.parquet"))
        suite = load_source_suite(contract, own)
        contract_only = replace(suite, checks=tuple(c for c in suite.checks if c.failing is not None))
        scratch = own.root / "scratch"
        scratch.mkdir()
        with open_for(load, scratch, own) as con:
            con.execute(f"set threads = {int(threads)}")
            outcome = Batch(con, load, contract, get_form(form, own), contract_only, own, scratch).admit()
        assert outcome.admitted == rows, f"{outcome.admitted} of {rows} made rows were admitted: {outcome.reason}"
        steps = {name: took for name, took in outcome.seconds.items() if name != "gate"}
    return Measure(f"reading {form}", rows, "rows", sum(steps.values()), floor, steps)


def _land_made_rows(con: duckdb.DuckDBPyConnection, arrival: Arrival, rows: int) -> Path:
    """Put made rows into landing; return the payload."""
    form = arrival.load.form
    made = arrival.settings.root / "made"
    kind = "json" if form == NDJSON else "parquet"
    shown = "strftime(hour_start, '%Y-%m-%dT%H:%M:%S+08:00')" if form == NDJSON else "hour_start"
    arrival.settings.root.mkdir(parents=True, exist_ok=True)
    con.execute(
        f"copy (select * replace ({shown} as hour_start) from ({_MADE_ROWS})) to '{made}' (format {kind})",
        {"rows": rows, "per_hour": -(-rows // (24 * _DAYS)), "first": _FIRST_DAY},
    )
    return land_file(arrival, made)


#: hours as a month of online monitoring has them: few codes, values of two or three digits, nine in ten flags N
_MADE_ROWS = """
select
    '43030400000000' || printf('%010d', n % $per_hour // 4) as mn_code,
    '91430300MA' || printf('%08d', n % $per_hour // 12) || '001P' as permit_no,
    'DA' || printf('%03d', n % $per_hour // 4 % 3 + 1) as outlet_code,
    ['a00000', 'a19001', 'a21002', 'a21026'][n % 4 + 1] as factor_code,
    $first::date::timestamptz + to_hours((n // $per_hour)::integer) as hour_start,
    round(20 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as avg_value,
    round(15 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as min_value,
    round(25 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as max_value,
    round(22 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as corrected_avg_value,
    round(hash(n) % 900 / 1000, 3)::decimal(18, 4) as total_value,
    case when hash(n) % 50 = 0 then 'M' else 'N' end as instrument_flag,
    null::varchar as process_flag,
    'final' as data_status,
    'synthetic' as data_basis
from range($rows) as made (n)
"""


def _copy_plainly(con: duckdb.DuckDBPyConnection, contract: Contract, file: Path, target: Path) -> None:
    """Do what a hand-written line of DuckDB would: the same bytes into one Parquet file, nothing checked."""
    columns = ", ".join(f"'{c.name}': '{c.type}'" for c in contract.columns)
    source = (
        f"read_parquet('{file}')"
        if file.suffix == f".{PARQUET}"
        else f"read_json('{file}', format = 'newline_delimited', columns = {{{columns}}})"
    )
    con.execute(f"copy (select * from {source}) to '{target}' (format parquet, compression zstd)")
