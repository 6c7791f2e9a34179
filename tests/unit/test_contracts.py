"""A contract that contradicts itself does not load, and says so."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tanhuan.contracts import FEEDS, Contract, get_contract, load_contracts, tables_of
from tanhuan.duck import open_memory

GOOD: dict[str, Any] = {
    "table": "noise_hour",
    "feed": "monitoring",
    "title": {"zh": "噪声小时数据", "en": "Hourly noise"},
    "cadence": "hourly",
    "owner": {"zh": "监测科", "en": "monitoring"},
    "expected_by": "01:30",
    "stale_after_hours": 26,
    "mode": "window",
    "late_window_days": 7,
    "day": {"column": "hour_start", "label": "start"},
    "history": [{"from": "2025-01-01"}],
    "key": ["site", "hour_start"],
    "refused_share_max": 0.05,
    "columns": [
        {"name": "site", "type": "VARCHAR", "required": True, "zh": "点位", "en": "site"},
        {"name": "hour_start", "type": "TIMESTAMPTZ", "required": True, "zh": "小时", "en": "hour"},
    ],
}


def test_a_good_contract_loads() -> None:
    contract = Contract.model_validate(GOOD)
    assert contract.names == ["site", "hour_start"]
    assert contract.history[0].to is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"key": ["site", "hour"]}, r"contract noise_hour: columns \['hour'\] are named but not among its columns"),
        ({"day": None}, "contract noise_hour: a window table names the column of its day"),
        ({"mode": "snapshot"}, "contract noise_hour: a window table names the column of its day, a snapshot does not"),
        ({"mode": "stream"}, "'window' or 'snapshot'"),
        ({"feed": "noise"}, "feed"),
        ({"unknown": 1}, "unknown"),
        ({"columns": [{"name": "site", "type": "VARCHAR", "required": True, "zh": "点位"}]}, r"columns\.0\.en"),
        ({"history": [{"from": "yesterday"}]}, r"history\.0\.from"),
    ],
    ids=["key", "no-day", "snapshot-with-day", "mode", "feed", "unknown-field", "no-english", "history"],
)
def test_a_bad_contract_says_what_is_wrong(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Contract.model_validate(GOOD | change)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(
        KeyError, match=r"no contract for table 'air'; known tables: accounting_quantity, air_exception_event, air_hour"
    ):
        get_contract("air")
    with pytest.raises(KeyError, match="no feed 'weather'; known feeds: monitoring, permits, credit, returns"):
        tables_of("weather")


def test_every_table_belongs_to_one_feed() -> None:
    assert sorted(table for feed in FEEDS for table in tables_of(feed)) == list(load_contracts())


@pytest.mark.parametrize("contract", load_contracts().values(), ids=lambda c: c.table)
def test_a_contract_is_complete(contract: Contract) -> None:
    assert len(contract.names) == len(set(contract.names))
    required = {c.name for c in contract.columns if c.required}
    assert set(contract.key) <= required, "a row without its key cannot be pointed at"
    assert "data_basis" in required, "every row says measured or synthetic"
    assert 0 < contract.refused_share_max <= 0.05
    assert contract.day is None or contract.day.column in required
    assert contract.mode == "snapshot" or contract.late_window_days > 0
    with open_memory() as con:
        con.execute(f"create table t ({', '.join(f'{c.name} {c.type}' for c in contract.columns)})")


@pytest.mark.parametrize("contract", load_contracts().values(), ids=lambda c: c.table)
def test_a_measured_value_is_never_a_binary_fraction(contract: Contract) -> None:
    assert not [c.name for c in contract.columns if c.type in ("DOUBLE", "FLOAT", "REAL")], (
        "a sum of DOUBLE varies with the threads"
    )
