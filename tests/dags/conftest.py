"""A DagBag of the project's DAGs, read in an Airflow home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

_DESCRIBE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
heavy = sorted({"dbt", "great_expectations", "pandas", "duckdb", "pyarrow"} & {m.split(".")[0] for m in sys.modules})
print("DAGS " + json.dumps({
    "errors": bag.import_errors,
    "seconds": {s.file: s.duration.total_seconds() for s in bag.dagbag_stats},
    "heavy": heavy,
    "dags": {d.dag_id: {
        "tags": sorted(d.tags), "catchup": d.catchup, "max_active_runs": d.max_active_runs,
        "timetable": type(d.timetable).__name__,
        "form": {name: d.params.get_param(name).schema for name in d.params},
        "tasks": {t.task_id: {"pool": t.pool, "retries": t.retries, "upstream": sorted(t.upstream_task_ids),
                              "priority": t.priority_weight, "at_once": t.max_active_tis_per_dagrun,
                              "outlets": [o.name for o in t.outlets]} for t in d.tasks},
    } for d in bag.dags.values()},
}))
"""


@pytest.fixture(scope="session")
def dag_bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow finds in dags/, described by a fresh process."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    migrated = subprocess.run(
        [Path(sys.executable).with_name("airflow"), "db", "migrate"], env=environment, capture_output=True, text=True
    )
    assert migrated.returncode == 0, migrated.stderr[-2000:]
    answer = subprocess.run(
        [sys.executable, "-c", _DESCRIBE, str(ROOT / "dags")], env=environment, capture_output=True, text=True
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("DAGS ")]
    assert lines, answer.stderr[-2000:]
    return dict(json.loads(lines[0].removeprefix("DAGS ")))
