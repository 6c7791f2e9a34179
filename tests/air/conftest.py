"""Warehouses with air alone: hours put into `raw` by hand, and the air models above them."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import os
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory, open_warehouse
from tanhuan.formats import cnemc_air
from tanhuan.formats.rows import STAGED, Payload, stage_texts
from tanhuan.settings import Settings
from tanhuan.warehouse.build import run_dbt
from tanhuan.warehouse.load import load_lake

RECORDING = Path(__file__).parents[2] / "include" / "tanhuan" / "standin" / "data" / "xiangtan_air_2019.csv.gz"
NIGHT = dt.date(2019, 12, 31)
CHINA = dt.timezone(dt.timedelta(hours=8))
MODELS = ("fct_air_station_hour", "mart_air_invalid_day", "mart_air_period_item", "mart_air_station_period")

#: the recording's types → columns of the contract
COLUMNS = {
    "AQI": "aqi",
    "PM2.5": "pm25_ug_m3",
    "PM10": "pm10_ug_m3",
    "SO2": "so2_ug_m3",
    "NO2": "no2_ug_m3",
    "O3": "o3_ug_m3",
    "CO": "co_mg_m3",
    "PM2.5_24h": "pm25_24h_ug_m3",
    "PM10_24h": "pm10_24h_ug_m3",
    "SO2_24h": "so2_24h_ug_m3",
    "NO2_24h": "no2_24h_ug_m3",
    "CO_24h": "co_24h_mg_m3",
    "O3_8h": "o3_8h_ug_m3",
    "O3_8h_24h": "o3_8h_24h_ug_m3",
}

#: (station, day, label 1 to 24) → column → value
Hours = dict[tuple[str, dt.date, int], dict[str, Fraction]]


def read_recording(path: Path = RECORDING) -> Hours:
    """Read the recording of 2019; label 0 is 24:00 of the day before."""
    hours: Hours = defaultdict(dict)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["type"] not in COLUMNS:
                continue
            day, label = dt.date.fromisoformat(row["date"]), int(row["hour"])
            if label == 0:
                day, label = day - dt.timedelta(days=1), 24
            for station, text in row.items():
                if station not in ("date", "hour", "type") and text:
                    hours[station, day, label][COLUMNS[row["type"]]] = Fraction(text)
    return {key: values for key, values in hours.items() if key[1].year == 2019}


def read_files(*paths: Path) -> Hours:
    """Read files as the national network publishes them, of all its stations, by the reader of the feed."""
    received_at = dt.datetime(2026, 11, 23, 1, tzinfo=CHINA)
    hours: Hours = {}
    with open_memory() as con:
        payloads = [Payload(path, path.name, received_at) for path in paths]
        stage_texts(cnemc_air.read_rows)(con, get_contract("air_hour"), payloads)
        found = con.execute(f"select station_code, hour_end, {', '.join(COLUMNS.values())} from {STAGED}")
        for station, moment, *values in found.fetchall():
            begin = moment.astimezone(CHINA) - dt.timedelta(hours=1)
            told = {c: Fraction(v) for c, v in zip(COLUMNS.values(), values, strict=True) if v is not None}
            hours[station, begin.date(), begin.hour + 1] = told
    return hours


def put_hours(hours: Hours, settings: Settings, path: Path, basis: str = "measured", as_of: dt.date = NIGHT) -> None:
    """Put hours into `raw` as one admitted load."""
    names = [
        c for c in get_contract("air_hour").names if c not in ("station_code", "hour_end", "data_status", "data_basis")
    ]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["station_code", "hour_end", "business_date", *names])
        for (station, day, label), values in hours.items():
            end = dt.datetime.combine(day, dt.time(), CHINA) + dt.timedelta(hours=label)
            told = [str(float(values[n])) if n in values else "" for n in names]
            writer.writerow([station, end.isoformat(), day, *told])
    with open_warehouse(settings) as con:
        con.execute(
            "insert into raw.air_hour by name select *, 'final' as data_status, $basis as data_basis, "
            "'by hand' as _load_id, 'by hand' as _source_file, row_number() over () as _source_row "
            "from read_csv($path, all_varchar = true)",
            {"basis": basis, "path": str(path)},
        )
        con.execute("update raw.night set as_of = $1", [as_of])


def build_air(settings: Settings, *models: str) -> None:
    """Load the seeds and build air models with all that they need, by default the whole of air."""
    run_dbt(["seed"], settings)
    run_dbt(["run", "--full-refresh", "--select", *(f"+{model}" for model in models or MODELS)], settings)


def create_warehouse(folder: Path) -> Settings:
    """Create a warehouse of empty `raw` tables."""
    settings = Settings(home=folder / "home", upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    load_lake(NIGHT, settings)
    return settings


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries."""
    with open_warehouse(settings, read_only=True) as con:
        answer = con.execute(sql)
        names = [c[0] for c in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """dbt is told the warehouse through the environment; give it back as it was."""
    before = os.environ.get("TANHUAN_WAREHOUSE")
    yield
    if before is None:
        os.environ.pop("TANHUAN_WAREHOUSE", None)
    else:
        os.environ["TANHUAN_WAREHOUSE"] = before


@pytest.fixture(scope="session")
def recording() -> Hours:
    return read_recording()


@pytest.fixture(scope="session")
def year_2019(recording: Hours, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The air models over the whole recording of 2019. To be read, not changed."""
    folder = tmp_path_factory.mktemp("air-2019")
    settings = create_warehouse(folder)
    put_hours(recording, settings, folder / "hours.csv")
    build_air(settings)
    return settings
