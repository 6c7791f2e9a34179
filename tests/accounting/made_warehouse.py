"""Made rows in a small warehouse: admitted as loads are, built by dbt as a night builds, read back as published."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from tanhuan.contracts import load_contracts
from tanhuan.duck import open_warehouse
from tanhuan.settings import Settings
from tanhuan.warehouse.build import run_dbt
from tanhuan.warehouse.load import load_lake
from tests.accounting.independent import Admitted, Binding, Check, Reading
from tests.accounting.made_hours import City, Outlet

Row = dict[str, Any]
_LOADS = itertools.count(1)


def create_warehouse(night: dt.date, settings: Settings) -> None:
    """Create empty `raw` and `ops` tables as of a night."""
    load_lake(night, settings)


def change_night(settings: Settings, night: dt.date) -> None:
    with open_warehouse(settings) as con:
        con.execute("update raw.night set as_of = ?", [night])


def add_load(settings: Settings, table: str, rows: Sequence[Row], night: dt.date, kind: str = "night") -> None:
    """Admit rows as one load, later than all before; what a row does not name is NULL, its data basis is synthetic."""
    load_id = f"{night:%Y%m%d}T{next(_LOADS):06d}"
    contract = load_contracts()[table]
    types = {column.name: column.type for column in contract.columns} | {"business_date": "DATE"}
    named = [{"data_basis": "synthetic", "business_date": night.isoformat()} | row for row in rows]
    arrow = pa.table({name: pa.array([_to_text(row.get(name)) for row in named], pa.string()) for name in types})
    columns = ", ".join(f"{name}::{kind} as {name}" for name, kind in types.items())
    with open_warehouse(settings) as con:
        con.register("made", arrow)
        con.execute(
            f"insert into raw.{table} by name select {columns}, ? as _load_id, 'made' as _source_file, "
            "row_number() over () as _source_row from made",
            [load_id],
        )
        con.execute("insert into raw.changed_day select distinct ?, business_date::date from made", [table])
        _note_load(con, load_id, table, night, kind, len(rows))


def _note_load(con: duckdb.DuckDBPyConnection, load_id: str, table: str, night: dt.date, kind: str, count: int) -> None:
    con.execute(
        "insert into ops.ops_load by name select $1 as load_id, $2 as feed, $3 as table_name, $4::date as night_date, "
        "$4::date as first_date, $4::date as last_date, $5 as kind, 'pages' as form, 'admitted' as state, "
        "$6 as received_count, $6 as admitted_count, 0 as quarantined_count, 0 as unchanged_count, 1 as day_count, "
        "[]::varchar[] as notes, now() as recorded_at",
        [load_id, load_contracts()[table].feed, table, night, kind, count],
    )


def _to_text(value: Any) -> str | None:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return None if value is None else str(value)


def add_readings(settings: Settings, readings: Iterable[Reading], night: dt.date) -> None:
    rows = [
        {
            "mn_code": f"MN-{r.permit_no}", "permit_no": r.permit_no, "outlet_code": r.outlet_code,
            "factor_code": r.factor, "hour_start": r.hour, "avg_value": r.average, "total_value": r.total,
            "instrument_flag": r.instrument_flag, "process_flag": r.process_flag, "data_status": "final",
            "business_date": r.hour.date(),
        }
        for r in readings
    ]  # fmt: skip
    add_load(settings, "source_hour", rows, night)


def add_bindings(settings: Settings, bindings: Iterable[Binding], night: dt.date) -> None:
    rows = [
        {
            "mn_code": f"MN-{b.permit_no}-{b.outlet_code}-{b.first}", "permit_no": b.permit_no,
            "outlet_code": b.outlet_code, "valid_from_date": b.first, "valid_to_date": b.last,
        }
        for b in bindings
    ]  # fmt: skip
    add_load(settings, "device_binding", rows, night)


def add_checks(settings: Settings, checks: Iterable[Check], night: dt.date) -> None:
    rows = [
        {
            "permit_no": c.permit_no, "outlet_code": c.outlet_code, "factor_code": c.factor, "check_kind": c.kind,
            "checked_at": c.at, "is_passed": c.passed, "sample_count": c.samples, "manual_kg": c.manual_kg,
            "doc_no": "made",
        }
        for c in checks
    ]  # fmt: skip
    add_load(settings, "source_check", rows, night)


def add_register(settings: Settings, outlets: Iterable[Outlet], night: dt.date) -> None:
    """Permits and outlets."""
    listed = list(outlets)
    permits = {
        o.permit_no: {
            "permit_no": o.permit_no, "uscc": o.permit_no[:18], "enterprise_name": f"企业{o.permit_no[10:17]}",
            "site_name": "厂区", "county_code": o.county_code, "industry_code": "3110", "industry_name": "炼铁",
            "management_level": "重点管理", "status": "有效", "issued_date": "2020-01-01",
            "valid_from_date": "2020-01-01", "valid_to_date": "2029-12-31", "version_no": 1,
        }
        for o in listed
    }  # fmt: skip
    rows = [
        {
            "permit_no": o.permit_no, "outlet_code": o.outlet_code, "outlet_name": "排放口", "medium": o.medium,
            "outlet_type": "主要排放口", "discharge_mode": o.discharge_mode,
        }
        for o in listed
    ]  # fmt: skip
    add_load(settings, "permit", list(permits.values()), night)
    add_load(settings, "permit_outlet", rows, night)


def add_city(settings: Settings, city: City) -> None:
    """Admit a whole city, its restated hours in a second load."""
    add_register(settings, city.outlets, city.night)
    add_bindings(settings, city.bindings, city.night)
    add_checks(settings, city.checks, city.night)
    add_readings(settings, city.first_load(), city.night)
    if city.restated:
        add_readings(settings, city.restated, city.night)


def as_admitted(city: City) -> Admitted:
    return Admitted(city.newest_readings(), city.bindings, city.checks, city.night)


def build_anew(settings: Settings, *models: str) -> None:
    """Build models and everything above them as if nothing had been built."""
    selected = [f"+{model}" for model in models]
    run_dbt(
        ["build", "--full-refresh", "--select", *selected, "--exclude-resource-type", "test", "unit_test"], settings
    )
    _forget_changed_days(settings)


def build_a_night(settings: Settings, *models: str) -> None:
    """Build models as a night does: from the days that changed, views and seeds as they are."""
    selected = [f"+{model}" for model in models]
    left_out = ["--exclude-resource-type", "test", "unit_test", "seed", "--exclude", "config.materialized:view"]
    run_dbt(["build", "--select", *selected, *left_out], settings)
    _forget_changed_days(settings)


def _forget_changed_days(settings: Settings) -> None:
    with open_warehouse(settings) as con:
        con.execute("delete from raw.changed_day")


def read_rows(settings: Settings, table: str) -> list[Row]:
    with open_warehouse(settings, read_only=True) as con:
        found = con.execute(f"select * from {table}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]
