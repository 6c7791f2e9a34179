"""The DAGs say what runs, when and under which limits, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tanhuan.backfill import ALL_FEEDS
from tanhuan.contracts import FEEDS, load_contracts, tables_of
from tanhuan.services import DAG_IDS

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = {"dbt", "great_expectations", "pandas", "duckdb", "pyarrow"}


def test_airflow_finds_exactly_these_dags(dag_bag: dict[str, Any]) -> None:
    assert dag_bag["errors"] == {}
    assert set(dag_bag["dags"]) == {
        "night",
        "night_deadline",
        "pull_monitoring",
        "pull_permits",
        "pull_credit",
        "pull_returns",
        "refresh_indicators",
        "backfill",
        "assess",
    }
    assert set(dag_bag["dags"]) == DAG_IDS


def test_every_file_parses_in_under_a_second(dag_bag: dict[str, Any]) -> None:
    assert len(dag_bag["seconds"]) == len(DAG_FILES)
    assert max(dag_bag["seconds"].values()) < 1.0, dag_bag["seconds"]


def test_parsing_imports_no_heavy_library(dag_bag: dict[str, Any]) -> None:
    assert dag_bag["heavy"] == []


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda p: p.name)
def test_no_file_imports_a_heavy_library_at_top_level(path: Path) -> None:
    imported = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert not imported & HEAVY
    assert not path.name.startswith("dbt_"), "dbt would import it as a plugin"


def test_dbt_project_is_no_package() -> None:
    assert not (ROOT / "dbt_project" / "__init__.py").exists(), "dbt would import it as a plugin"


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_lands_with_retries_and_admits_without(dag_bag: dict[str, Any], feed: str) -> None:
    tasks = dag_bag["dags"][f"pull_{feed}"]["tasks"]
    assert tasks["land"]["retries"] >= 1
    assert tasks["admit"]["retries"] == 0
    assert tasks["admit"]["upstream"] == ["land"]
    assert sorted(tasks["admit"]["outlets"]) == sorted(f"lake.{table}" for table in tables_of(feed))


def test_every_table_is_announced_by_exactly_one_dag(dag_bag: dict[str, Any]) -> None:
    announced = [o for d in dag_bag["dags"].values() for t in d["tasks"].values() for o in t["outlets"] if "lake." in o]
    assert sorted(announced) == sorted(f"lake.{table}" for table in load_contracts())


def test_every_task_that_opens_the_warehouse_waits_for_its_single_slot(dag_bag: dict[str, Any]) -> None:
    tasks = dag_bag["dags"]["refresh_indicators"]["tasks"]
    assert {t["pool"] for t in tasks.values()} == {"warehouse"}
    assert [tasks[name]["upstream"] for name in ("load", "build", "gate", "publish")] == [
        [],
        ["load"],
        ["build"],
        ["gate"],
    ]


def test_every_dag_says_how_much_it_matters_and_never_catches_up(dag_bag: dict[str, Any]) -> None:
    for dag_id, described in dag_bag["dags"].items():
        assert {"tier_1", "tier_2", "tier_3"} & set(described["tags"]), dag_id
        assert described["catchup"] is False, dag_id
        assert described["max_active_runs"] == 1, dag_id
        # A backfill and an assessment run when somebody asks for them, and are of no night.
        expected = "NullTimetable" if dag_id in ("backfill", "assess") else "Partition"
        assert expected in described["timetable"], f"{dag_id}: a night is a partition"


def test_a_backfill_lets_a_night_pass_and_does_not_count_as_one(dag_bag: dict[str, Any]) -> None:
    tasks = dag_bag["dags"]["backfill"]["tasks"]
    nights = [
        t for dag_id, d in dag_bag["dags"].items() if dag_id not in ("backfill", "assess") for t in d["tasks"].values()
    ]
    assert max(t["priority"] for t in tasks.values()) < min(t["priority"] for t in nights)
    assert tasks["pull_chunk"]["at_once"] == 2, "half of the slots that `tanhuan up` has"
    assert tasks["pull_chunk"]["retries"] >= 1
    assert tasks["announce"]["upstream"] == ["pull_chunk"]
    assert [o for t in tasks.values() for o in t["outlets"]] == ["night_deadline"], "no table of the lake is announced"


def test_the_form_of_a_backfill_offers_every_feed_and_table(dag_bag: dict[str, Any]) -> None:
    form = dag_bag["dags"]["backfill"]["form"]
    assert form["feed"]["enum"] == [None, *FEEDS, ALL_FEEDS]
    assert form["tables"]["examples"] == list(load_contracts())
    assert [name for name, schema in form.items() if schema.get("format") == "date"] == ["from", "to"]


def test_an_assessment_is_frozen_by_hand_once_and_without_the_warehouse(dag_bag: dict[str, Any]) -> None:
    described = dag_bag["dags"]["assess"]
    [task] = described["tasks"].values()
    assert task["retries"] == 0, "a second try would be refused, or freeze another version"
    assert task["pool"] != "warehouse", "it reads the publication only"
    assert task["outlets"] == []
    assert sorted(described["form"]) == ["note", "plan", "point", "reason", "who"]
