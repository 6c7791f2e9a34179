"""What a published table rests on: feed tables, seeds, models and macros, as dbt's own manifest of the last build says.

Belongs here: reading that graph. Does not belong here: what follows from it (changes.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from tanhuan.contracts import load_contracts
from tanhuan.errors import TanhuanError
from tanhuan.files import read_json
from tanhuan.settings import Settings

#: what `describe_rules` calls the engine: another version may round or sort in another way
ENGINE = "duckdb"
#: the source table of frozen assessments: no feed, but new rows of it move what is published
FREEZES = "assessment_indicator"
_SHAPING = ("model", "seed")


@dataclass(frozen=True)
class Origin:
    """What one table rests on, by name; `rules` are the ids of models, seeds, macros and contracts that shape it.

    `reads_night`: its figures may move with the date alone. `reach`: which new days can move a row: `day` only its own,
    the table is computed day by day; `quarter`: those up to the end of its quarter; `ever`: those up to its end.
    `reads_freezes`: a new frozen assessment adds rows to it.
    """

    feeds: frozenset[str]
    seeds: frozenset[str]
    rules: frozenset[str]
    reads_night: bool
    reach: str
    reads_freezes: bool = False


class Lineage:
    """The graph of the last build."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self._nodes: dict[str, Any] = manifest["nodes"] | manifest["sources"]
        self._macros: dict[str, Any] = manifest["macros"]
        self._project: str = manifest["metadata"]["project_name"]
        self._models = {node["name"]: name for name, node in self._nodes.items() if node["resource_type"] == "model"}

    def trace(self, table: str) -> Origin:
        """Return what a table rests on; nothing if no model makes it any more."""
        start = self._models.get(table)
        nodes = self._walk(start) if start else set()
        sources = [self._nodes[name] for name in nodes if self._nodes[name]["resource_type"] == "source"]
        raw = {s["identifier"] for s in sources if s["schema"] == "raw"}
        feeds = raw & load_contracts().keys()
        seeds = {self._nodes[name]["name"] for name in nodes if self._nodes[name]["resource_type"] == "seed"}
        shaping = {name for name in nodes if self._nodes[name]["resource_type"] in _SHAPING}
        config = self._nodes[start]["config"] if start else {}
        return Origin(
            frozenset(feeds),
            frozenset(seeds),
            frozenset(shaping | self._walk_macros(shaping) | {f"contract.{feed}" for feed in feeds} | {ENGINE}),
            "night" in raw,
            _find_reach(config),
            FREEZES in raw,
        )

    @cached_property
    def rules(self) -> dict[str, str]:
        """A short hash of everything that shapes a table, by id."""
        texts = {name: _describe_node(node) for name, node in self._nodes.items() if node["resource_type"] in _SHAPING}
        texts |= {name: macro["macro_sql"] for name, macro in self._macros.items() if self._is_ours(macro)}
        texts |= {
            f"contract.{c.table}": f"{[(column.name, column.type) for column in c.columns]} {c.key}"
            for c in load_contracts().values()
        }
        texts[ENGINE] = duckdb.__version__
        return {name: _hash(text) for name, text in sorted(texts.items())}

    def _walk(self, start: str) -> set[str]:
        found, waiting = set(), [start]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._nodes[name].get("depends_on", {}).get("nodes", [])
        return found

    def _walk_macros(self, nodes: set[str]) -> set[str]:
        found: set[str] = set()
        waiting = [m for name in nodes for m in self._nodes[name]["depends_on"]["macros"]]
        while waiting:
            name = waiting.pop()
            if name not in found and name in self._macros and self._is_ours(self._macros[name]):
                found.add(name)
                waiting += self._macros[name]["depends_on"]["macros"]
        return found

    def _is_ours(self, macro: dict[str, Any]) -> bool:
        return bool(macro["package_name"] == self._project)


def read_lineage(settings: Settings) -> Lineage:
    """Read the graph of the last build.

    Raises:
        TanhuanError: nothing has been built.
    """
    path = settings.root / "dbt" / "manifest.json"
    if not path.exists():
        raise TanhuanError(
            f"{_shorten(path, settings)} is missing, so nobody can tell what a figure rests on.",
            "clear `build` in refresh_indicators, or run `tanhuan rebuild`: either writes it again.",
        )
    return Lineage(read_json(path))


def describe_rules(settings: Settings) -> dict[str, str]:
    """Return a short hash of every model, seed, macro and contract that the last build was made with."""
    return read_lineage(settings).rules


def _find_reach(config: dict[str, Any]) -> str:
    is_by_day = config.get("materialized") == "incremental" and config.get("unique_key") == "business_date"
    return str(config.get("meta", {}).get("reach", "day" if is_by_day else "ever"))


def _describe_node(node: dict[str, Any]) -> str:
    types = {name: column.get("data_type") for name, column in node["columns"].items()}
    return f"{node['checksum']['checksum']} {types} {node['config'].get('column_types')}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shorten(path: Path, settings: Settings) -> str:
    return str(path.relative_to(settings.root))
