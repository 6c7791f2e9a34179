"""Every rule of the models is shown by a dbt unit test, and none of these can vanish in silence."""

from __future__ import annotations

from typing import Any

from tanhuan.files import read_json
from tanhuan.settings import Settings
from tanhuan.warehouse.build import run_dbt

#: how many there were when this was written; more is fine, fewer is a loss
UNIT_TESTS_AT_LEAST = 21


def test_all_unit_tests_run_and_pass(two_nights: Settings, manifest: dict[str, Any]) -> None:
    counted = run_dbt(["test", "--select", "test_type:unit"], two_nights)
    results = read_json(two_nights.root / "dbt" / "run_results.json")["results"]
    assert {r["unique_id"] for r in results} == set(manifest["unit_tests"])
    assert {r["status"] for r in results} == {"pass"}
    assert counted["nodes"] == len(results) >= UNIT_TESTS_AT_LEAST


def test_a_build_runs_every_node(manifest: dict[str, Any], two_nights: Settings) -> None:
    enabled = [n for n in manifest["nodes"].values() if n["config"]["enabled"]]
    assert {n["resource_type"] for n in enabled} == {"model", "seed", "test"}
    assert len(enabled) == len(manifest["nodes"]), "nothing of the project is switched off"


def test_every_published_model_has_an_enforced_contract_and_a_grain(manifest: dict[str, Any]) -> None:
    published = {i: n for i, n in manifest["nodes"].items() if n["resource_type"] == "model" and n["schema"] == "main"}
    assert published
    assert not [n["name"] for n in published.values() if not n["contract"]["enforced"]]
    tested = {
        test["attached_node"]
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test" and test.get("test_metadata", {}).get("name") == "unique_grain"
    }
    assert not [n["name"] for i, n in published.items() if i not in tested]
