"""Whole nights under a real Airflow, in the order in which a bureau would live them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from rich.console import Console

from tanhuan.assess.archive import list_freezes, verify
from tanhuan.files import read_json
from tanhuan.night_run import NightResult, run_night
from tanhuan.report.produce import Request as ReportRequest
from tanhuan.report.produce import write_report
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
    strict, archive = query(
        house,
        """
        select basis, judged_days, good_days, round_even(pm25_mean_ug_m3, 0)::integer, is_sufficient
        from mart_air_period
        where region_code = '430300' and period_kind = 'year' and year = 2019 and series = 'all'
        order by basis desc
        """,
    )
    # Table 2 of the plan: PM2.5 48 ug/m3 and 271 good days in 2019.
    assert archive == ("archive", 359, 271, 48, True)
    # Strict (HJ 663-2013 to the letter, hourly values only): too few days for a year.
    assert strict == ("strict", 194, 109, 55, False)
    assert query(
        house,
        """
        select indicator_no, status, data_basis from ind_plan_indicator
        where assessment_point = 'BASELINE_2019' order by indicator_no
        """,
    ) == [(1, "data_insufficient", "measured"), (2, "data_insufficient", "measured")]


def test_every_indicator_of_both_plans_has_an_honest_status(house: Settings) -> None:
    counts = query(
        house,
        """
        select plan_id, assessment_point, count(*), count(status) from ind_plan_indicator
        where assessment_point in ('FINAL_2020', 'FINAL_2025') and region_code = '430300' group by all order by plan_id
        """,
    )
    assert counts == [("13", "FINAL_2020", 27, 27), ("14", "FINAL_2025", 28, 28)]
    unfounded = query(
        house,
        """
        select plan_id, indicator_no, assessment_point from ind_plan_indicator
        where status = 'attained' and (target_value is null or coverage_pct is null or coverage_pct < 100)
        """,
    )
    assert unfounded == [], "never attained without a dated target and coverage"


def test_the_plans_own_projects_are_planned_with_their_tonnes(house: Settings) -> None:
    assert query(
        house,
        """
        select project_id, planned_t::integer from mart_reduction_project
        where project_id in ('P2-1', 'P2-2') and pollutant_id = 'nox' and year = 2025 order by project_id
        """,
    ) == [("P2-1", 1550), ("P2-2", 78)]


def test_the_same_night_again_publishes_the_same_content(live: Any, house: Settings) -> None:
    before = read_manifest(house)
    assert live(FIRST).published
    after = read_manifest(house)
    assert after["version"] != before["version"]
    assert after["tables"] == before["tables"]
    assert after["content_hash"] == before["content_hash"]


def run_dag(airflow: Airflow, dag_id: str, conf: dict[str, Any]) -> str:
    """Trigger a DAG, wait for its end, and return its state."""
    run_id = airflow.api.trigger(dag_id, conf=conf)
    deadline = time.monotonic() + 120
    while (state := airflow.api.read_state(dag_id, run_id)) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{dag_id} does not end"
        time.sleep(0.5)
    return state


def test_the_plans_middle_is_frozen_once_and_told_as_workbook_and_page(
    live: Any, airflow: Airflow, house: Settings
) -> None:
    middle = {"point": "MID_2023", "who": "tester"}
    assert run_dag(airflow, "assess", middle) == "success"
    [frozen] = list_freezes(house)
    assert frozen.name == "14/MID_2023/1"
    assert frozen.manifest["source_version"] == read_manifest(house)["version"]
    assert run_dag(airflow, "assess", middle) == "failed", "frozen already, and no reason is given"
    assert verify(house) == {frozen.name: []}
    written = write_report(ReportRequest(point="MID_2023"), house)
    page = written.page.read_text("utf-8")
    assert "已冻结" in page
    assert page.count("<article") == 28
    assert openpyxl.load_workbook(written.workbook).sheetnames


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


def test_the_next_version_shows_what_was_frozen_beside_what_is_published_now(house: Settings) -> None:
    listed = query(house, "select assessment_point, freeze_no, frozen_by from ops_assessment")
    assert listed == [("MID_2023", 1, "tester")]
    [(figures, counties, moved)] = query(
        house,
        """
        select count(*) filter (region_code = '430300'), count(distinct region_code) - 1, count(*) filter (is_restated)
        from ind_plan_assessment where assessment_point = 'MID_2023'
        """,
    )
    assert (figures, counties, moved) == (28, 5, 0)
    assert verify(house) == {"14/MID_2023/1": []}


_FAULTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("2026-01-02", "monitoring", "air_hour", {"kind": "rename_column", "column": "pm25_ug_m3", "to": "pm2_5"}),
    ("2026-01-03", "monitoring", "source_hour", {"kind": "scale_column", "column": "avg_value", "factor": 1000}),
    ("2026-01-04", "monitoring", "micro_air_hour", {"kind": "short_page"}),
    ("2026-01-05", "credit", "penalty", {"kind": "status", "status": 503}),
]


@pytest.mark.parametrize(
    ("night", "feed", "table", "fault"),
    [
        pytest.param(*case, id=case[3]["kind"], marks=[] if case in (_FAULTS[0], _FAULTS[-1]) else [pytest.mark.slow])
        for case in _FAULTS
    ],
)
def test_a_faulty_upstream_is_named_and_readers_keep_their_version(
    live: Any, house: Settings, upstream: Upstream, night: str, feed: str, table: str, fault: dict[str, Any]
) -> None:
    before = read_manifest(house)
    upstream.misbehave({"table": table, **fault})
    result = live(dt.date.fromisoformat(night))
    assert not result.published
    sentence = next(s for s in result.failures if table in s)
    assert f"pull_{feed}" in sentence
    assert "Next step" in sentence
    assert read_manifest(house) == before


def test_the_night_recovers_when_the_upstream_does(live: Any, house: Settings) -> None:
    night = _FAULTS[-1][0]
    assert live(dt.date.fromisoformat(night)).published
    assert read_manifest(house)["as_of"] == night


@pytest.mark.slow
def test_at_the_deadline_the_refresh_runs_with_what_arrived_and_says_what_is_missing(
    live: Any, airflow: Airflow, house: Settings, upstream: Upstream
) -> None:
    night = dt.date(2026, 1, 6)
    upstream.misbehave({"table": "penalty", "kind": "status", "status": 503})
    assert not live(night).published
    since = dt.datetime.now(dt.UTC)
    airflow.api.trigger("night_deadline", night.isoformat())
    deadline = time.monotonic() + 120
    while airflow.api.list_runs(since, night.isoformat()).get("refresh_indicators") not in ("success", "failed"):
        assert time.monotonic() < deadline, "the deadline must wake the refresh"
        time.sleep(0.5)
    manifest = read_manifest(house)
    assert manifest["as_of"] == night.isoformat()
    assert manifest["missing_tables"] == ["penalty"], "the feed's other tables were admitted"


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
