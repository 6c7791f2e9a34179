"""Emissions of many outlets over years of hours: everything from the lake anew, then one night that restates its days.

Beside it stands plain DuckDB over the same lake files: rows into a table, the newest per key, mass of every good hour,
sums by day. It substitutes nothing, judges no quarter and knows no permit: the least anybody would have to do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import duckdb

from tanhuan import ledger
from tanhuan.bench.measures import Measure, take_time, throw_away
from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory, open_scratch, open_warehouse, quote
from tanhuan.lake import PROVENANCE, lake_path, write_days, write_rows
from tanhuan.settings import Settings, now
from tanhuan.warehouse.build import build
from tanhuan.warehouse.load import load_lake

_TABLE = "source_hour"
_FIRST_YEAR = 2021
#: what an outlet measures: its flow and two more
_FACTORS = 3
#: days that a night asks for again, and a day long past of which one hour comes late
_RESTATED_DAYS, _LATE_DAY = 7, dt.date(2023, 5, 10)


def measure_emissions(outlets: int, years: int, settings: Settings) -> list[Measure]:
    """Measure a build over everything, a night after it, and a night in which an hour of an early year comes late."""
    last = dt.date(_FIRST_YEAR + years - 1, 12, 31)
    with throw_away(settings) as own:
        _write_history(outlets, last, own)
        everything = {"load": take_time(lambda: load_lake(last, own)), "build": take_time(lambda: build(own))}
        rows = _count("raw.source_hour", own)
        floor = _run_by_hand(own, "*")
        measures = [_tell("emissions rebuild", rows, everything, floor, own)]
        night = last + dt.timedelta(days=1)
        restated = [last - dt.timedelta(days=n) for n in range(_RESTATED_DAYS)]
        for name, days in (("emissions night", restated), ("emissions late hour", [min(_LATE_DAY, last)])):
            load_id = _restate(days, night, own)
            steps = {"load": take_time(lambda: load_lake(night, own)), "build": take_time(lambda: build(own))}
            floor = _run_by_hand(own, load_id)
            measures.append(_tell(name, _FACTORS * 24 * len(days) * outlets, steps, floor, own))
    return measures


def _tell(name: str, rows: int, steps: dict[str, float], floor: float, settings: Settings) -> Measure:
    days = _count("intermediate.int_source__day", settings)
    others: dict[str, float] = {
        "排放口日重算 outlet days computed": days,
        "排放口日共 outlet days in all": _count("fct_source_day", settings),
    }
    return Measure(name, rows, "rows", round(sum(steps.values()), 3), floor, steps, others)


def _count(table: str, settings: Settings) -> int:
    with open_warehouse(settings, read_only=True) as con:
        [(rows,)] = con.execute(f"select count(*) from {table}").fetchall()
    return int(rows)


def _write_history(outlets: int, last: dt.date, settings: Settings) -> None:
    """Write lake files and ledger as gate 1 would have left them: registers once, hours by year and day."""
    settings.root.mkdir(parents=True, exist_ok=True)
    with open_memory() as con:
        con.execute(_OUTLETS, {"outlets": outlets})
        for table, query in _REGISTERS.items():
            _write_register(con, table, query, last, settings)
    for year in range(_FIRST_YEAR, last.year + 1):
        with open_scratch(settings.root / f"made-{year}.duckdb") as con:
            con.execute(_OUTLETS, {"outlets": outlets})
            span = {"first": dt.date(year, 1, 1), "after": dt.date(year + 1, 1, 1)}
            con.execute(f"create table made as {_HOURS}", span)
            _write_hours(con, f"{year}0101T000000-{_TABLE}", last, settings)


def _restate(days: list[dt.date], night: dt.date, settings: Settings) -> str:
    """Write a load that brings days again, with one outlet's values a little off and another's analyser failing."""
    load_id = f"{night:%Y%m%d}T{len(days):06d}-{_TABLE}"
    with open_scratch(settings.root / f"{load_id}.duckdb") as con:
        con.execute(f"attach {quote(settings.warehouse)} as warehouse (read_only)")
        con.execute(f"create table made as {_RESTATED}", {"days": days})
        _write_hours(con, load_id, night, settings)
    return load_id


def _write_register(con: duckdb.DuckDBPyConnection, table: str, query: str, night: dt.date, settings: Settings) -> None:
    load_id, day = f"{_FIRST_YEAR}0101T000000-{table}", str(night)
    path = lake_path(table, day, load_id, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(con, f"select *, {_describe_origin(load_id)} from ({query})", path)
    _record(load_id, table, night, {day: path}, settings)


def _write_hours(con: duckdb.DuckDBPyConnection, load_id: str, night: dt.date, settings: Settings) -> None:
    columns = ", ".join((*get_contract(_TABLE).names, *PROVENANCE))
    con.execute(f"create table whole as select *, {_describe_origin(load_id)} from made")
    written = write_days(con, columns, "whole", "business_date", settings.root / "scratch")
    files = {}
    for day, file in written.items():
        files[day] = lake_path(_TABLE, day, load_id, settings)
        files[day].parent.mkdir(parents=True, exist_ok=True)
        file.rename(files[day])
    _record(load_id, _TABLE, night, files, settings)


def _describe_origin(load_id: str) -> str:
    return (
        f"{quote(load_id)} as _load_id, 'made' as _source_file, row_number() over () as _source_row, "
        "now() as _fetched_at, '' as _row_hash"
    )


def _record(load_id: str, table: str, night: dt.date, files: Mapping[str, Path], settings: Settings) -> None:
    days = sorted(files)
    event = {
        "load_id": load_id,
        "table": table,
        "feed": get_contract(table).feed,
        "key": str(night),
        "first": days[0],
        "last": days[-1],
        "kind": "night",
        "form": "pages",
        "state": "admitted",
        "received": 0,
        "admitted": 0,
        "quarantined": 0,
        "unchanged": 0,
        "reason": None,
        "notes": ["made by tanhuan bench"],
        "files": {day: str(files[day].relative_to(settings.root)) for day in days},
        "recorded_at": now().isoformat(),
    }
    ledger.record("loads", load_id, event, settings)


def _run_by_hand(settings: Settings, load_id: str) -> float:
    """Return the seconds of plain DuckDB over the lake files of a load, or of all (`*`)."""
    files = quote(settings.lake / _TABLE / "*" / f"{load_id}.parquet")
    with open_scratch(settings.root / f"by-hand-{load_id.strip('*')}.duckdb") as con:
        seconds = take_time(
            lambda: con.execute(f"create table row as from read_parquet({files}, hive_partitioning = true)")
        )
        return round(seconds + take_time(lambda: con.execute(_BY_HAND)), 3)


#: half of them stacks with flow, oxygen and NOx, half sewers with flow, COD and ammonia
_OUTLETS = """
create table outlet as
select
    n,
    '91430300MA' || lpad(n::varchar, 8, '0') || '001P' as permit_no,
    n % 2 = 0 as is_air,
    if(is_air, 'DA001', 'DW001') as outlet_code,
    'MN' || n as mn_code
from range($outlets) as made (n)
"""

_REGISTERS = {
    "permit_outlet": """
        select permit_no, outlet_code, 'made' as outlet_name, if(is_air, 'air', 'water') as medium,
            '主要排放口' as outlet_type, null::decimal(5, 2) as o2_reference_pct, 'direct' as discharge_mode,
            null::varchar as receiving_water, null::decimal(9, 6) as longitude, null::decimal(9, 6) as latitude,
            'synthetic' as data_basis
        from outlet
    """,
    "device_binding": """
        select mn_code, permit_no, outlet_code, date '2018-01-01' as valid_from_date, null::date as valid_to_date,
            'synthetic' as data_basis
        from outlet
    """,
}

#: one day in forty with eight hours of a failing analyser, one hour in a hundred in maintenance, one day in 25 stopped,
#: one hour in 300 lost
_HOURS = """
with hours as (
    select unnest(range($first::timestamptz, $after::timestamptz, interval 1 hour)) as hour_start
),

readings as (
    select
        outlet.*,
        hour_start,
        hour_start::date as business_date,
        unnest(if(is_air, ['a00000', 'a19001', 'a21002'], ['w00000', 'w01018', 'w21003'])) as factor_code,
        hash(n, hour_start) as luck,
        hash(n, business_date) as luck_of_day
    from hours
    cross join outlet
),

valued as (
    select
        *,
        hash(luck, factor_code) as noise,
        case factor_code
            when 'a00000' then 80 + noise % 2000 / 100
            when 'a19001' then 12 + noise % 100 / 100
            when 'w00000' then 500 + noise % 9000 / 100
            else 20 + noise % 4000 / 100
        end as mean
    from readings
    where luck % 300 > 0
)

select
    mn_code,
    permit_no,
    outlet_code,
    factor_code,
    hour_start,
    mean::decimal(18, 4) as avg_value,
    null::decimal(18, 4) as min_value,
    null::decimal(18, 4) as max_value,
    null::decimal(18, 4) as corrected_avg_value,
    case factor_code when 'a00000' then mean * 3600 when 'w00000' then mean * 3.6 end::decimal(18, 4) as total_value,
    case
        when luck_of_day % 40 = 0 and hour(hour_start) between 5 and 12 then 'D'
        when luck % 97 = 0 then 'M'
        else 'N'
    end as instrument_flag,
    case when luck_of_day % 25 = 1 then 'F' end as process_flag,
    'final' as data_status,
    'synthetic' as data_basis,
    business_date
from valued
order by hour_start
"""

_RESTATED = """
select * exclude (_load_id, _source_file, _source_row, _fetched_at, _row_hash) replace (
    if(permit_no like '%2001P' and hour(hour_start) = 3, (avg_value + 1)::decimal(18, 4), avg_value) as avg_value,
    if(permit_no like '%4001P' and hour(hour_start) = 3, 'D', instrument_flag) as instrument_flag
)
from warehouse.raw.source_hour
where list_contains($days, business_date)
"""

_BY_HAND = """
create table day as
with latest as (
    select *
    from row
    qualify row_number() over (partition by permit_no, outlet_code, factor_code, hour_start order by _load_id desc) = 1
),

flow as (
    select permit_no, outlet_code, hour_start, total_value
    from latest
    where factor_code in ('a00000', 'w00000') and instrument_flag = 'N' and process_flag is null
)

select
    latest.permit_no,
    latest.outlet_code,
    latest.factor_code,
    latest.hour_start::date as day,
    count(*) as hours,
    sum(latest.avg_value * flow.total_value * if(starts_with(latest.factor_code, 'a'), 1e-6, 1e-3)) as kg
from latest
inner join flow using (permit_no, outlet_code, hour_start)
where latest.factor_code in ('a21002', 'w01018', 'w21003') and latest.instrument_flag = 'N'
group by all
"""
