"""Micro-stations are indicative: nothing that judges the air or the plan may read them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tanhuan.files import read_json
from tanhuan.settings import Settings

#: what a micro-station is known by: its hours, its devices, and everything made of them
MICRO = re.compile(r"^(raw\.micro_|stg_monitoring__micro_|int_micro__|fct_micro_|mart_micro_)")
#: air as evaluated, and the plan's figures
JUDGED = re.compile(r"^(int_air__|fct_air_|mart_air_|int_plan__|ind_)")
#: how many devices there are is a commitment of its own (plan, 四(一)6); a list of stations is all that it may read
COUNTS_DEVICES = re.compile(r"commitment")
LIST_OF_STATIONS = "dim_station"

Graph = dict[str, set[str]]


@pytest.fixture(scope="module")
def graph(two_nights: Settings) -> Graph:
    """Name of each model → names of its parents, as dbt has built them."""
    return read_graph(dict(read_json(two_nights.root / "dbt" / "manifest.json")))


def read_graph(manifest: dict[str, Any]) -> Graph:
    nodes = manifest["nodes"] | manifest["sources"]
    names = {
        key: f"{node['schema']}.{node['identifier']}" if node["resource_type"] == "source" else node["name"]
        for key, node in nodes.items()
    }
    return {
        names[key]: {names[parent] for parent in node.get("depends_on", {}).get("nodes", []) if parent in names}
        for key, node in nodes.items()
        if node["resource_type"] in ("model", "source", "seed")
    }


def find_path(graph: Graph, name: str, closed: frozenset[str] = frozenset()) -> list[str]:
    """Return how a model comes by a micro-station, from the model down; empty if it does not."""
    if MICRO.match(name):
        return [name]
    for parent in sorted(graph.get(name, set()) - closed):
        path = find_path(graph, parent, closed)
        if path:
            return [name, *path]
    return []


def list_paths(graph: Graph) -> list[str]:
    """Return every way by which something judged reads a micro-station."""
    judged = [name for name in graph if JUDGED.match(name)]
    assert {"ind_plan_indicator", "fct_air_city_day", "mart_air_period"} <= set(judged), judged
    paths = [
        find_path(graph, name, frozenset({LIST_OF_STATIONS}) if COUNTS_DEVICES.search(name) else frozenset())
        for name in judged
    ]
    return [" ← ".join(path) for path in paths if path]


def test_no_micro_station_enters_an_indicator_or_the_evaluation_of_air(graph: Graph) -> None:
    assert list_paths(graph) == []


def test_the_walk_would_find_one(graph: Graph) -> None:
    assert find_path(graph, LIST_OF_STATIONS), "the list of stations does list the devices"
    for name, parent in (("int_plan__indicator_value", LIST_OF_STATIONS), ("mart_air_period", "mart_micro_event")):
        spoiled = graph | {name: graph[name] | {parent}}
        assert any(path.startswith(name) for path in list_paths(spoiled)), name


def test_a_commitment_may_count_devices_from_the_list_of_stations_only(graph: Graph) -> None:
    for parent, is_found in ((LIST_OF_STATIONS, False), ("stg_monitoring__micro_device", True)):
        spoiled = graph | {"ind_plan_commitment": {parent}}
        assert bool([p for p in list_paths(spoiled) if p.startswith("ind_plan_commitment")]) is is_found
