"""Suites: the checks of a table, read from `expectations/` and, for feed tables, completed from the contract.

The JSON files are the only place where a check of values is written. What the contract already says — type, required,
key, days asked for — becomes a check by itself, so that it is not written twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from tanhuan.contracts import Contract
from tanhuan.files import read_json
from tanhuan.settings import Settings

Action = Literal["refuse_row", "refuse_batch", "flag"]


@dataclass(frozen=True)
class Check:
    """One check: what a person reads about it, what happens when it fails, and how it is computed.

    `expectation` is the Great Expectations form; contract checks have none of their own beyond not-null.
    """

    id: str
    level: Literal["row", "batch"]
    action: Action
    severity: str
    zh: str
    en: str
    source: str
    expectation: dict[str, Any] | None = field(default=None, hash=False)
    failing: str | None = None
    """For contract checks: the SQL predicate of a failing row."""
    needs_days: bool = False
    """Whether the predicate asks for the days of the load, `$first` and `$last`."""


@dataclass(frozen=True)
class Suite:
    """All checks of one table at one gate, and a hash that changes when any of them does."""

    name: str
    table: str
    checks: tuple[Check, ...]
    digest: str

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
    checks = (*_contract_checks(contract), *written.checks)
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


#: what a value that does not fit its column's type does, by the column's drift policy
_UNFIT: dict[str, tuple[Action, str, str]] = {
    "freeze": ("refuse_batch", "整批拒收，请核对平台口径", "the whole batch is refused, ask the platform what changed"),
    "refuse_row": ("refuse_row", "请上报单位更正后重报", "ask the reporting unit to correct and resend it"),
    "discard_value": ("flag", "该值弃用，其余照收", "the value is discarded, the rest of the row is kept"),
    "evolve": ("flag", "该值弃用，其余照收", "the value is discarded, the rest of the row is kept"),
}


def _contract_checks(contract: Contract) -> list[Check]:
    checks = []
    for column in contract.columns:
        name = column.name
        if column.type != "VARCHAR":
            action, zh, en = _UNFIT[column.drift]
            checks.append(
                _contract_check(
                    contract,
                    f"TYPE-{name}",
                    f"list_contains(_unfit, '{name}')",
                    f"{column.zh}（{name}）不是 {column.type}，{zh}",
                    f"{name} is not a {column.type}; {en}",
                    action=action,
                )
            )
        if column.required:
            checks.append(
                _contract_check(
                    contract,
                    f"REQUIRED-{name}",
                    f"{name} is null and not list_contains(_unfit, '{name}')",
                    f"缺少必填项 {column.zh}（{name}），请上报单位补报",
                    f"{name} is required and missing; ask the reporting unit to supply it",
                    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}},
                )
            )
    key = ", ".join(contract.key)
    checks.append(
        _contract_check(
            contract,
            "DUPLICATE",
            "_duplicate",
            f"主键（{key}）在本批中重复而内容不同，保留第一条",
            f"the key ({key}) occurs more than once in this batch with other contents; the first row is kept",
        )
    )
    if contract.day is not None:
        checks.append(
            _contract_check(
                contract,
                "DAY",
                "business_date is not null and business_date not between $first::date and $last::date",
                "数据日不在请求的日期范围内，整批时刻不可信；请核对平台时区或请求范围",
                "a row's day is not among the days asked for, so no moment of this answer can be trusted; check the "
                "platform's time zone and what it was asked for",
                action="refuse_batch",
                needs_days=True,
            )
        )
    return checks


def _contract_check(
    contract: Contract,
    what: str,
    failing: str,
    zh: str,
    en: str,
    expectation: dict[str, Any] | None = None,
    action: Action = "refuse_row",
    needs_days: bool = False,
) -> Check:
    identity = f"CONTRACT-{contract.table}-{what}"
    if expectation is not None:
        expectation = {**expectation, "severity": "critical", "meta": {"id": identity}}
    return Check(
        id=identity,
        level="row",
        action=action,
        severity="warning" if action == "flag" else "critical",
        zh=zh,
        en=en,
        source=f"include/tanhuan/contracts/{contract.table}.yml",
        expectation=expectation,
        failing=failing,
        needs_days=needs_days,
    )


def describe_suites(suites: list[Suite]) -> str:
    """Return one hash over several suites: which rules a gate ran with."""
    return hashlib.sha256(msgspec.json.encode([s.digest for s in suites])).hexdigest()
