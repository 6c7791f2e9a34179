"""Checks that follow from a contract: what had been final stands, and as many rows come as usual."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import get_contract
from tanhuan.gates.contract_checks import list_contract_checks
from tanhuan.settings import TIME_ZONE

Row = dict[str, Any]

BASE = {
    "source_code": "AREA-430302-1",
    "pollutant_id": "cod",
    "base_year": 2020,
    "base_t": 10,
    "doc_no": "示例环统〔2021〕1号",
}
OTHER = BASE | {"source_code": "AREA-430304-1", "base_t": 20}
NEW_DOCUMENT = {"doc_no": "示例环统〔2022〕7号"}
EVALUATION = {
    **{"uscc": "91430304MA0000001A", "eval_year": 2023, "regime": "HN-B", "grade": "蓝牌"},
    "published_date": dt.date(2024, 6, 1),
}
HOUR = {
    "station_code": "1508A",
    "hour_end": dt.datetime(2025, 12, 1, 5, tzinfo=TIME_ZONE),
    "pm25_ug_m3": 35,
    "data_status": "final",
}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set global TimeZone = 'Asia/Shanghai'")
        yield connection


def fill(con: duckdb.DuckDBPyConnection, name: str, table: str, rows: list[Row]) -> None:
    """Create a table with the contract's columns, the business day and a hash of what each row says."""
    contract = get_contract(table)
    day = f"cast({contract.day.column}{contract.day.shift} as date)" if contract.day else "null::date"
    columns = ", ".join(f"{c.name} {c.type}" for c in contract.columns)
    con.execute("create or replace temp table given (" + columns + ")")
    if rows:
        con.execute("insert into given by name select unnest($rows, recursive := true)", {"rows": rows})
    names = ", ".join(contract.names)
    con.execute(
        f"create or replace table {name} as "
        f"select *, {day} as business_date, hash({names})::varchar as _row_hash from given"
    )


def ask(
    con: duckdb.DuckDBPyConnection, what: str, table: str, known: list[Row], batch: list[Row]
) -> list[tuple[Any, ...]]:
    """Return the rows that a batch check of the contract finds, as Great Expectations would run it."""
    con.execute("create schema if not exists known")
    fill(con, f"known.{table}", table, known)
    fill(con, "batch", table, batch)
    (check,) = [c for c in list_contract_checks(get_contract(table)) if c.id == f"CONTRACT-{table}-{what}"]
    assert (check.level, check.action, check.needs_whole) == ("batch", "flag", True)
    assert check.expectation is not None
    query = check.expectation["kwargs"]["unexpected_rows_query"]
    return con.execute(query.format(batch="(select * from batch) as subselect")).fetchall()


@pytest.mark.parametrize(
    ("table", "known", "batch", "found"),
    [
        ("emission_base", [], [BASE], []),
        ("emission_base", [BASE, OTHER], [OTHER, BASE], []),
        ("emission_base", [BASE, OTHER], [BASE | {"base_t": 11}, OTHER], ["base_t: 10.0000 -> 11.0000"]),
        ("emission_base", [BASE, OTHER], [BASE], ["gone"]),
        ("emission_base", [BASE], [BASE, OTHER], ["added"]),
        ("emission_base", [BASE], [BASE, OTHER | NEW_DOCUMENT], []),
        ("emission_base", [BASE], [BASE | {"base_t": 11} | NEW_DOCUMENT], []),
        ("emission_base", [BASE], [BASE | NEW_DOCUMENT], ["doc_no: 示例环统〔2021〕1号 -> 示例环统〔2022〕7号"]),
        ("emission_base", [BASE, OTHER], [BASE | {"source_code": "AREA-430321-9"}, OTHER], ["added", "gone"]),
        ("credit_evaluation", [EVALUATION], [EVALUATION | {"grade": "绿牌"}], ["grade: 蓝牌 -> 绿牌"]),
        ("credit_evaluation", [EVALUATION], [EVALUATION, EVALUATION | {"eval_year": 2024}], []),
    ],
    ids=[
        "first snapshot",
        "same in another order",
        "value changed",
        "row gone",
        "row added to a known document",
        "new document",
        "restated by a new document",
        "nothing but another document",
        "key moved",
        "grade changed",
        "next year",
    ],
)
def test_what_one_document_says_stays_as_it_was(
    table: str, known: list[Row], batch: list[Row], found: list[str], con: duckdb.DuckDBPyConnection
) -> None:
    assert sorted(row[-1] for row in ask(con, "SETTLED", table, known, batch)) == found


def test_documents_without_a_version_are_compared_too(con: duckdb.DuckDBPyConnection) -> None:
    permit = {"permit_no": "91430304MA0000001A001P", "version_no": None, "county_code": "430304"}
    changed = ask(con, "SETTLED", "permit", [permit], [permit | {"county_code": "430302"}])
    assert [row[-1] for row in changed] == ["county_code: 430304 -> 430302"]
    assert ask(con, "SETTLED", "permit", [permit], [permit | {"county_code": "430302", "version_no": 2}]) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {"pm25_ug_m3": 36}, ["pm25_ug_m3: 35.00 -> 36.00"]),
        ({}, {}, []),
        ({}, {"data_status": "preliminary"}, ["data_status: final -> preliminary"]),
        ({"data_status": "preliminary"}, {"pm25_ug_m3": 36}, []),
        ({}, {"hour_end": dt.datetime(2025, 12, 1, 6, tzinfo=TIME_ZONE), "pm25_ug_m3": 36}, []),
    ],
    ids=["changed", "the same", "called preliminary again", "was preliminary", "another hour"],
)
def test_a_final_hour_stays_as_it_was(
    before: Row, after: Row, found: list[str], con: duckdb.DuckDBPyConnection
) -> None:
    assert [row[-1] for row in ask(con, "SETTLED", "air_hour", [HOUR | before], [HOUR | after])] == found


def make_hours(day: dt.date, count: int) -> list[Row]:
    """Give so many rows of one day; 00:00 of the next day is the day's last hour."""
    first = dt.datetime.combine(day, dt.time(1), TIME_ZONE)
    return [
        HOUR | {"station_code": f"{1500 + n // 24}A", "hour_end": first + dt.timedelta(hours=n % 24)}
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("rows", "found"), [(48, []), (72, []), (25, []), (23, [23]), (73, [73])], ids=lambda value: str(value)
)
def test_a_day_brings_as_many_rows_as_the_seven_before(
    rows: int, found: list[int], con: duckdb.DuckDBPyConnection
) -> None:
    day = dt.date(2025, 12, 20)
    known = [row for back in range(1, 8) for row in make_hours(day - dt.timedelta(days=back), 48)]
    known += [row for back in range(8, 14) for row in make_hours(day - dt.timedelta(days=back), 480)]
    assert [row[1] for row in ask(con, "VOLUME", "air_hour", known, make_hours(day, rows))] == found


def test_few_rows_say_nothing_of_volume(con: duckdb.DuckDBPyConnection) -> None:
    day = dt.date(2025, 12, 20)
    least = get_contract("air_hour").volume_min_rows
    few = make_hours(day - dt.timedelta(days=1), least - 1)
    enough = make_hours(day - dt.timedelta(days=1), least)
    assert ask(con, "VOLUME", "air_hour", few, make_hours(day, 1)) == []
    assert ask(con, "VOLUME", "air_hour", enough, make_hours(day, 1)) != []
    assert ask(con, "VOLUME", "air_hour", [], make_hours(day, 1)) == []


@pytest.mark.parametrize(("rows", "is_told"), [(40, False), (21, False), (19, True), (61, True)])
def test_a_snapshot_is_about_as_long_as_the_last(rows: int, is_told: bool, con: duckdb.DuckDBPyConnection) -> None:
    known = [BASE | {"source_code": f"AREA-430302-{n}"} for n in range(40)]
    batch = [BASE | {"source_code": f"AREA-430302-{n}"} for n in range(rows)]
    assert bool(ask(con, "VOLUME", "emission_base", known, batch)) == is_told
