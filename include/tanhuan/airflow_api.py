"""A client of Airflow's own REST API: enough to start a run, follow it and read how it ended.

Belongs here: HTTP with a running Airflow. Does not belong here: starting it (services.py), or importing airflow.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import requests

from tanhuan.errors import TanhuanError

_TIMEOUT_S = 10
_WAKE_TIMEOUT_S = 60


class AirflowApi:
    """A logged-in session with an Airflow API server on loopback."""

    def __init__(self, base_url: str, user: str, password: str) -> None:
        self._base = base_url.rstrip("/")
        self._credentials = {"username": user, "password": password}
        self._session = requests.Session()

    def is_healthy(self) -> bool:
        """Tell whether the scheduler, the DAG processor and the triggerer report health."""
        try:
            answer = requests.get(f"{self._base}/api/v2/monitor/health", timeout=_TIMEOUT_S)
        except requests.RequestException:
            return False
        if answer.status_code != requests.codes.ok:
            return False
        return all(part.get("status") == "healthy" for part in answer.json().values() if part.get("status"))

    def wake_execution_api(self) -> None:
        """Have the part that tasks talk to built: Airflow does so at its first request, which takes two seconds."""
        requests.get(f"{self._base}/execution/health", timeout=_WAKE_TIMEOUT_S).raise_for_status()

    def login(self) -> None:
        """Get a token; it is kept in this session only."""
        answer = self._session.post(f"{self._base}/auth/token", json=self._credentials, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool unless it is there."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        answer = self._session.post(f"{self._base}/api/v2/pools", json=body, timeout=_TIMEOUT_S)
        if answer.status_code != requests.codes.conflict:
            answer.raise_for_status()

    def wait_for_dags(self, dag_ids: set[str], timeout_s: float) -> None:
        """Wait until the DAG processor has taken in all DAGs.

        Raises:
            TanhuanError: some are still missing; the sentence holds Airflow's import errors.
        """
        deadline = time.monotonic() + timeout_s
        while missing := dag_ids - {d["dag_id"] for d in self._get("dags", limit=100)["dags"]}:
            if time.monotonic() > deadline:
                errors = [e["stack_trace"] for e in self._get("importErrors")["import_errors"]]
                raise TanhuanError(
                    f"Airflow does not know {', '.join(sorted(missing))} after {timeout_s:.0f} s. {' '.join(errors)}",
                    "mend the DAG file named in the trace.",
                )
            time.sleep(0.2)

    def trigger(self, dag_id: str, partition_key: str | None = None, conf: dict[str, Any] | None = None) -> str:
        """Start a run of a DAG, for a partition or with a configuration; return its run id."""
        body = {"logical_date": None, "partition_key": partition_key, "conf": conf or {}, "note": f"tanhuan {dag_id}"}
        answer = self._session.post(f"{self._base}/api/v2/dags/{dag_id}/dagRuns", json=body, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def list_runs(self, since: dt.datetime, partition_key: str) -> dict[str, str]:
        """Return the newest state of each DAG that ran for a partition since a moment, by DAG id."""
        runs = self._get("dags/~/dagRuns", run_after_gte=since.isoformat(), order_by="run_after", limit=100)["dag_runs"]
        return {r["dag_id"]: r["state"] for r in runs if r["partition_key"] == partition_key}

    def read_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of one run."""
        return str(self._get(f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def list_tasks(self, since: dt.datetime) -> list[dict[str, Any]]:
        """Return the task instances of runs since a moment, in the order in which they started."""
        found = self._get(
            "dags/~/dagRuns/~/taskInstances", run_after_gte=since.isoformat(), order_by="start_date", limit=100
        )
        return list(found["task_instances"])

    def _get(self, path: str, **params: Any) -> Any:
        try:
            answer = self._session.get(f"{self._base}/api/v2/{path}", params=params, timeout=_TIMEOUT_S)
            answer.raise_for_status()
        except requests.RequestException as exc:
            raise TanhuanError(
                f"Airflow at {self._base} no longer answers ({type(exc).__name__}).",
                "read its logs in var/airflow/; what is published stays, and the night can be run again.",
            ) from exc
        return answer.json()
