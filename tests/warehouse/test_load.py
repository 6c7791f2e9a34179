"""Lake → raw: each admitted load once, and the days that a build has not taken in yet are not forgotten."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan import ledger
from tanhuan.admit import admit_loads
from tanhuan.contracts import get_contract, load_contracts
from tanhuan.duck import open_warehouse
from tanhuan.errors import BuildFailed
from tanhuan.landing import Load
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.load import list_missing_tables, load_lake
from tests.conftest import NIGHTS, Upstream, change_settings, land_table

LAST = NIGHTS[-1]
NEXT = LAST + dt.timedelta(days=1)


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(settings, read_only=True) as con:
        return con.execute(sql).fetchall()


def count_raw(settings: Settings) -> dict[str, int]:
    return {table: query(settings, f"select count(*) from raw.{table}")[0][0] for table in load_contracts()}


def count_in_ledger(settings: Settings) -> dict[str, int]:
    """Rows that the ledger says have entered, by table."""
    rows: Counter[str] = Counter()
    for event in ledger.read_last("loads", settings):
        files = [str(settings.root / name) for name in event["files"].values()]
        if files:
            found = duckdb.execute("select count(*) from read_parquet($1)", [files]).fetchone()
            assert found is not None
            rows[event["table"]] += found[0]
    return dict(rows)


def take_in_table(table: str, settings: Settings, key: dt.date) -> Load:
    (load,) = land_table(table, key, settings)
    admit_loads([load], settings)
    return load


def test_every_row_of_the_lake_is_in_raw_once(two_nights: Settings) -> None:
    assert count_raw(two_nights) == count_in_ledger(two_nights)
    for contract in load_contracts().values():
        key = ", ".join(("_load_id", "_source_file", "_source_row"))
        doubled = query(two_nights, f"select {key} from raw.{contract.table} group by all having count(*) > 1")
        assert doubled == [], contract.table


def test_loading_again_adds_nothing(own_copy: Settings) -> None:
    before = count_raw(own_copy)
    assert load_lake(LAST, own_copy) == {}
    assert count_raw(own_copy) == before
    assert query(own_copy, "from raw.changed_day") == []


def test_a_warehouse_that_was_lost_is_loaded_whole(own_copy: Settings) -> None:
    before = count_raw(own_copy)
    own_copy.warehouse.unlink()
    assert load_lake(LAST, own_copy) == before
    assert count_raw(own_copy) == before


def test_a_file_that_no_load_record_names_is_not_there(own_copy: Settings) -> None:
    before = count_raw(own_copy)
    real = next((own_copy.lake / "permit").rglob("*.parquet"))
    shutil.copy(real, real.with_name("20991231T000000000000000-permit.parquet"))
    assert load_lake(LAST, own_copy) == {}
    assert count_raw(own_copy) == before


def test_only_the_new_night_is_loaded_and_its_days_are_remembered(own_copy: Settings) -> None:
    before = count_raw(own_copy)
    load = take_in_table("air_hour", own_copy, NEXT)
    rows = load_lake(NEXT, own_copy)
    assert set(rows) == {"air_hour"}
    assert count_raw(own_copy)["air_hour"] == before["air_hour"] + rows["air_hour"]
    assert query(own_copy, "from raw.changed_day") == [("air_hour", NEXT)]
    assert query(own_copy, "from raw.night") == [(NEXT,)]
    assert query(own_copy, f"select distinct business_date from raw.air_hour where _load_id = '{load.load_id}'") == [
        (NEXT,)
    ]


def test_air_hours_belong_to_the_day_in_which_they_end(two_nights: Settings) -> None:
    wrong = query(
        two_nights,
        "select count(*) from raw.air_hour where business_date != cast(hour_end - interval 1 hour as date)",
    )
    assert wrong == [(0,)]
    midnight = query(
        two_nights,
        f"select count(*) from raw.air_hour where hour_end = timestamptz '{LAST + dt.timedelta(days=1)} 00:00+08' "
        f"and business_date = date '{LAST}'",
    )
    assert midnight[0][0] > 0, "00:00 is the last hour of the day before"


def test_what_did_not_arrive_is_named(own_copy: Settings) -> None:
    assert list_missing_tables(LAST, own_copy) == [], "an unchanged table has arrived, too"
    take_in_table("penalty", own_copy, NEXT)
    load_lake(NEXT, own_copy)
    assert list_missing_tables(NEXT, own_copy) == [t for t in load_contracts() if t != "penalty"]


def test_a_warehouse_of_an_earlier_contract_says_what_to_do(own_copy: Settings) -> None:
    with open_warehouse(own_copy) as con:
        con.execute("drop view staging.stg_credit__penalty")
        con.execute("alter table raw.penalty drop column law_basis")
    with pytest.raises(BuildFailed, match=r"raw\.penalty .*tanhuan rebuild"):
        load_lake(LAST, own_copy)


def test_a_night_that_the_gate_refused_shows_in_ops_but_not_in_raw(own_copy: Settings, upstream: Upstream) -> None:
    before = count_raw(own_copy)
    upstream.misbehave({"table": "penalty", "kind": "drop_column", "column": "amount_cny"})
    with pytest.raises(Exception, match="amount_cny"):
        take_in_table("penalty", own_copy, NEXT)
    assert load_lake(NEXT, own_copy) == {}
    assert count_raw(own_copy) == before
    assert query(own_copy, f"select state from ops.ops_load where night_date = date '{NEXT}'") == [("refused",)]
    (held,) = query(own_copy, "select count(*), any_value(detail) from ops.ops_quarantine")
    assert held[0] == before["penalty"]
    assert "amount_cny" in held[1]
    assert query(own_copy, "select last_state from ops.ops_freshness where table_name = 'penalty'") == [("refused",)]


def with_red_test(settings: Settings, root: Path) -> Settings:
    """Return settings of a checkout whose dbt project has one more test, which fails."""
    shutil.copytree(settings.dbt_project, root / "dbt_project")
    (root / "dbt_project" / "tests" / "always_red.sql").write_text("select 'no night passes this' as reason\n", "utf-8")
    return change_settings(settings, project_root=root)


@pytest.mark.slow
def test_changed_days_outlive_a_failed_build_and_end_with_the_one_that_succeeds(
    own_copy: Settings, tmp_path: Path
) -> None:
    before = query(own_copy, "select max(business_date) from fct_air_station_day")
    take_in_table("air_hour", own_copy, NEXT)
    load_lake(NEXT, own_copy)
    with pytest.raises(BuildFailed, match=r"(?s)always_red.*no night passes this.*Next step"):
        build(with_red_test(own_copy, tmp_path / "checkout"))
    assert query(own_copy, "from raw.changed_day") == [("air_hour", NEXT)]
    load_lake(NEXT, own_copy)
    assert query(own_copy, "from raw.changed_day") == [("air_hour", NEXT)], "another load does not forget them either"

    build(own_copy)
    assert query(own_copy, "from raw.changed_day") == []
    assert query(own_copy, "select max(business_date) from fct_air_station_day") == [(NEXT,)] != before


@pytest.mark.parametrize("table", ["air_hour", "source_hour", "micro_air_hour"])
def test_window_tables_have_a_day_in_every_row(table: str, two_nights: Settings) -> None:
    assert query(two_nights, f"select count(*) from raw.{table} where business_date is null") == [(0,)]
    assert get_contract(table).mode == "window"


def test_a_night_made_up_for_later_does_not_turn_the_clock_back(own_copy: Settings) -> None:
    load_lake(NIGHTS[0], own_copy)
    assert query(own_copy, "from raw.night") == [(LAST,)]
