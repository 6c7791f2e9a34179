"""Whole nights under a real Airflow, in the order in which a bureau would live them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from tanhuan.files import read_json
from tanhuan.night_run import NightResult, run_night
from tanhuan.services import Airflow
from tanhuan.settings import Settings
from tests.conftest import Upstream

FIRST, SECOND = dt.date(2025, 12, 31), dt.date(2026, 1, 1)

_READER = """
import sys, time, duckdb
path, deadline, reads = sys.argv[1], time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < deadline:
    with duckdb.connect(path, read_only=True) as con:
        assert con.execute("select count(*) from ind_plan_indicator").fetchone()[0] > 0
    reads += 1
print(reads, flush=True)
"""


@pytest.fixture
def live(airflow: Airflow, house: Settings, console: Console) -> Any:
    def live(key: dt.date) -> NightResult:
        return run_night(airflow.api, key, house, console)

    return live


def read_manifest(house: Settings) -> dict[str, Any]:
    return dict(read_json(house.published / "current" / "manifest.json"))


def query(house: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(house.published / "current" / "tanhuan.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_the_first_night_loads_history_and_reproduces_the_plans_baseline(live: Any, house: Settings) -> None:
    result = live(FIRST)
    assert result.published, result.failures
    year = query(
        house,
        """
        select basis, judged_days, good_days, round(pm25_ug_m3), is_sufficient
        from mart_air_period
        where region_code = '430300' and period_type = 'year' and period_start_date = date '2019-01-01'
        order by basis
        """,
    )
    # Table 2 of the plan: PM2.5 48 ug/m3 and 271 good days of 365 in 2019.
    assert year[0] == ("archive", 359, 271, 48, True)
    assert year[1][0] == "strict"
    assert year[1][4] is False, "months below the standard's minimum make the strict year insufficient"


def test_the_same_night_again_publishes_the_same_content(live: Any, house: Settings) -> None:
    before = read_manifest(house)
    assert live(FIRST).published
    after = read_manifest(house)
    assert after["version"] != before["version"]
    assert after["tables"] == before["tables"]
    assert after["content_hash"] == before["content_hash"]


def test_readers_never_fail_while_a_night_runs(live: Any, house: Settings) -> None:
    path = str(house.published / "current" / "tanhuan.duckdb")
    before = read_manifest(house)["version"]
    with subprocess.Popen(
        [sys.executable, "-c", _READER, path, "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        assert live(SECOND).published
        out, err = reader.communicate(timeout=120)
    assert reader.returncode == 0, err
    assert int(out) > 20
    assert read_manifest(house)["version"] != before


@pytest.mark.parametrize(
    ("feed", "table", "fault"),
    [
        ("monitoring", "air_hour", {"kind": "rename_column", "column": "pm25_ug_m3", "to": "pm2_5"}),
        ("monitoring", "source_hour", {"kind": "scale_column", "column": "avg_value", "factor": 1000}),
        ("permits", "permit", {"kind": "short_page"}),
        ("credit", "penalty", {"kind": "status", "status": 503}),
    ],
    ids=lambda v: v["kind"] if isinstance(v, dict) else v,
)
def test_a_faulty_upstream_is_named_and_readers_keep_their_version(
    live: Any, house: Settings, upstream: Upstream, feed: str, table: str, fault: dict[str, Any]
) -> None:
    before = read_manifest(house)
    upstream.misbehave({"table": table, **fault})
    result = live(SECOND + dt.timedelta(days=1))
    assert not result.published
    (sentence,) = result.failures
    assert f"pull_{feed}" in sentence
    assert table in sentence
    assert "Next step" in sentence
    assert read_manifest(house) == before


def test_the_night_recovers_when_the_upstream_does(live: Any, house: Settings) -> None:
    assert live(SECOND + dt.timedelta(days=1)).published
    assert read_manifest(house)["as_of"] == str(SECOND + dt.timedelta(days=1))


def test_nothing_answers_without_a_login(airflow: Airflow) -> None:
    import requests

    for path in ("api/v2/dags", "api/v2/dags/night/dagRuns", "api/v2/pools", "api/v2/connections"):
        assert requests.get(f"{airflow.url}/{path}", timeout=10).status_code == 401, path


def test_published_files_are_plain_duckdb_and_parquet(house: Settings) -> None:
    current = house.published / "current"
    manifest = read_manifest(house)
    for name, described in manifest["tables"].items():
        rows = duckdb.execute("select count(*) from read_parquet($1)", [str(current / "parquet" / f"{name}.parquet")])
        assert rows.fetchone() == (described["rows"],), name
    assert not list(Path(current).glob("*.wal"))
