"""Staging and the contracts name the same tables, keys and columns: the list is kept once, the copies agree."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard

from tanhuan.admit import admit_loads
from tanhuan.contracts import Contract, load_contracts
from tanhuan.duck import open_memory, open_warehouse
from tanhuan.feeds.upstream import Page
from tanhuan.landing import Arrival, new_load, write_pages
from tanhuan.settings import Settings
from tanhuan.warehouse.load import load_lake
from tests.conftest import NIGHTS
from tests.dbt.conftest import read_compiled

#: what the warehouse adds to a table of days; staging may hand it on
DAY = "business_date"


def parse(sql: str) -> dict[str, Any]:
    """Return DuckDB's own syntax tree of a query."""
    with open_memory() as con:
        found = con.execute("select json_serialize_sql($1::varchar)", [sql]).fetchone()
    assert found is not None
    tree = json.loads(found[0])
    assert not tree["error"], tree
    return dict(tree["statements"][0]["node"])


def walk(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from walk(branch)


def named_columns(tree: Any) -> list[str]:
    return [node["column_names"][-1] for node in walk(tree) if node.get("class") == "COLUMN_REF"]


def staging_models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {n["name"]: n for n in manifest["nodes"].values() if n["schema"] == "staging"}


@pytest.fixture(params=load_contracts().values(), ids=lambda c: c.table)
def contract(request: pytest.FixtureRequest) -> Contract:
    return request.param


@pytest.fixture
def query(contract: Contract, manifest: dict[str, Any], two_nights: Settings) -> dict[str, Any]:
    """The syntax tree of the contract's staging model, as dbt compiled it."""
    model = staging_models(manifest)[f"stg_{contract.feed}__{contract.table}"]
    return parse(read_compiled(two_nights, model))


def test_sources_are_the_contract_tables_and_the_nights_own(manifest: dict[str, Any]) -> None:
    sources = {(s["source_name"], s["name"]) for s in manifest["sources"].values()}
    assert {name for schema, name in sources if schema == "raw"} == {
        *load_contracts(),
        "night",
        "changed_day",
        "assessment_indicator",
    }
    assert {name for schema, name in sources if schema != "raw"} <= {"ops_load", "ops_quarantine"}


def test_each_contract_table_is_staged_once(contract: Contract, manifest: dict[str, Any]) -> None:
    reading = [
        name
        for name, model in staging_models(manifest).items()
        if ["raw", contract.table] in model["sources"] and re.search(r"\{\{\s*latest_admitted\(", model["raw_code"])
    ]
    assert reading == [f"stg_{contract.feed}__{contract.table}"]


def test_staging_takes_the_latest_row_of_the_contracts_key(contract: Contract, query: dict[str, Any]) -> None:
    (window,) = (node for node in walk(query) if node.get("partitions"))
    by_day = [DAY] if contract.mode == "window" else []
    assert named_columns(window["partitions"]) == [*by_day, *contract.key]
    assert [(o["type"], *named_columns(o)) for o in window["orders"]] == [
        ("DESCENDING", "_load_id"),
        ("DESCENDING", "_source_file"),
        ("DESCENDING", "_source_row"),
    ]


def test_staging_hands_on_every_column_of_the_contract_and_no_other(contract: Contract, query: dict[str, Any]) -> None:
    taken = named_columns(query["select_list"])
    assert set(contract.names) - set(taken) == set(), "columns of the contract that are lost"
    assert set(taken) - {*contract.names, DAY} == set(), "columns that no contract names"


def test_staging_keeps_names_and_types_where_it_changes_nothing(
    contract: Contract, query: dict[str, Any], two_nights: Settings
) -> None:
    untouched = {c["column_names"][-1] for c in query["select_list"] if c["class"] == "COLUMN_REF" and not c["alias"]}
    view = f"staging.stg_{contract.feed}__{contract.table}"
    with open_warehouse(two_nights, read_only=True) as con:
        described = {row[0]: row[1] for row in con.execute(f"describe {view}").fetchall()}
        wanted = {row[0]: row[1] for row in con.execute(f"describe raw.{contract.table}").fetchall()}
    assert untouched <= set(described)
    assert {n: t for n, t in described.items() if n in untouched} == {n: wanted[n] for n in untouched}


def test_a_key_stands_in_staging_once(contract: Contract, two_nights: Settings) -> None:
    with open_warehouse(two_nights, read_only=True) as con:
        raw = con.execute(f"select count(distinct ({', '.join(contract.key)})) from raw.{contract.table}").fetchone()
        staged = con.execute(f"select count(*) from staging.stg_{contract.feed}__{contract.table}").fetchone()
    assert staged == raw
    assert staged != (0,)


def send_penalties(settings: Settings, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Take in a further snapshot of the penalties, changed by hand, the way a pull does."""
    contract, night = load_contracts()["penalty"], NIGHTS[-1] + dt.timedelta(days=1)
    sent = sorted((settings.landing / "penalty").rglob("payload-*.json.zst"))[-1]
    rows = change(json.loads(zstandard.ZstdDecompressor().decompress(sent.read_bytes()))["rows"])
    body = json.dumps({"total": len(rows), "pages": 1, "rows": rows}, ensure_ascii=False).encode()
    load = new_load(contract, night, night, night, "night", "pages")
    write_pages(Arrival(load, settings, "by hand"), [Page("by hand", 200, {}, body, len(rows), len(rows))])
    admit_loads([load], settings)
    load_lake(night, settings)


def read_penalties(settings: Settings) -> dict[str, Any]:
    with open_warehouse(settings, read_only=True) as con:
        return dict(con.execute("select case_no, amount_cny from staging.stg_credit__penalty").fetchall())


def test_what_a_newer_snapshot_no_longer_lists_is_gone(own_copy: Settings) -> None:
    before = read_penalties(own_copy)
    send_penalties(own_copy, lambda rows: rows[1:])
    after = read_penalties(own_copy)
    assert len(after) == len(before) - 1
    assert after.items() <= before.items()


def test_a_row_that_a_newer_snapshot_spoils_keeps_its_last_good_version(own_copy: Settings) -> None:
    before = read_penalties(own_copy)
    send_penalties(own_copy, lambda rows: [{**rows[0], "amount_cny": "-1"}, *rows[1:]])
    with open_warehouse(own_copy, read_only=True) as con:
        assert con.execute("select count(*) from ops.ops_quarantine").fetchone() == (1,)
    assert read_penalties(own_copy) == before


def test_a_row_that_a_newer_snapshot_restates_is_replaced(own_copy: Settings) -> None:
    before = read_penalties(own_copy)
    send_penalties(own_copy, lambda rows: [{**rows[0], "amount_cny": "12345"}, *rows[1:]])
    after = read_penalties(own_copy)
    assert [after[case] for case in before if after[case] != before[case]] == [12345]
    assert after.keys() == before.keys()
