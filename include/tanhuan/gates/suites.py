"""Suites: the checks of a table, read from `expectations/` and, for feed tables, completed from the contract.

The JSON files are the only place where a check of values is written. What the contract already says — type, required,
key, days asked for — becomes a check by itself, so that it is not written twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tanhuan.contracts import Contract
from tanhuan.files import read_json
from tanhuan.gates.checks import Check
from tanhuan.gates.contract_checks import list_contract_checks
from tanhuan.known import find_known
from tanhuan.settings import Settings


@dataclass(frozen=True)
class Suite:
    """All checks of one table at one gate, and a hash that changes when any of them does."""

    name: str
    table: str
    checks: tuple[Check, ...]
    digest: str

    @property
    def known_tables(self) -> list[str]:
        """The tables of the lake that the checks look at beside the batch, as `known.<table>`."""
        return find_known(*(c.failing or str((c.expectation or {}).get("kwargs")) for c in self.checks))

    def at(self, level: str) -> list[Check]:
        """Return the checks of one level."""
        return [c for c in self.checks if c.level == level]


def load_suite(path: Path) -> Suite:
    """Read one suite file."""
    data = read_json(path)
    checks = tuple(_read_check(e) for e in data["expectations"])
    return Suite(data["name"], data["meta"]["table"], checks, hashlib.sha256(path.read_bytes()).hexdigest())


def load_source_suite(contract: Contract, settings: Settings) -> Suite:
    """Return a feed table's suite with the contract's own checks in front."""
    written = load_suite(settings.expectations / "source" / f"{contract.table}.json")
    checks = (*list_contract_checks(contract), *written.checks)
    digest = hashlib.sha256((written.digest + contract.model_dump_json()).encode()).hexdigest()
    return Suite(written.name, written.table, checks, digest)


def load_mart_suites(settings: Settings) -> list[Suite]:
    """Return the suites of all published tables, by table name."""
    return [load_suite(path) for path in sorted((settings.expectations / "mart").glob("*.json"))]


def _read_check(expectation: dict[str, Any]) -> Check:
    meta = expectation["meta"]
    return Check(
        id=meta["id"],
        level=meta["level"],
        action=meta["action"],
        severity=expectation["severity"],
        zh=meta["zh"],
        en=meta["en"],
        source=meta["source"],
        expectation=expectation,
    )


def describe_suites(suites: list[Suite]) -> str:
    """Return one hash over several suites: which rules a gate ran with."""
    return hashlib.sha256(msgspec.json.encode([s.digest for s in suites])).hexdigest()
