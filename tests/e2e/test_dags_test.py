"""Every DAG also runs by itself, under `airflow dags test`."""

from __future__ import annotations

import pytest

from tanhuan.services import run_airflow
from tanhuan.settings import Settings

IN_ORDER = (
    "night",
    "pull_monitoring",
    "pull_permits",
    "pull_credit",
    "pull_returns",
    "refresh_indicators",
    "night_deadline",
)


@pytest.mark.slow
def test_every_dag_runs_under_dags_test(settings: Settings) -> None:
    for dag_id in IN_ORDER:
        status = run_airflow(["dags", "test", dag_id, "-c", '{"date": "2026-01-31"}'], settings)
        assert status == 0, dag_id
    assert (settings.published / "current" / "manifest.json").exists()
